"""Cutting the receiver list: those who stay are read back, and no other byte changes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.edxml import (
    DocumentPacket,
    PacketLimits,
    RecipientCut,
    cut_recipients,
    read,
    write,
)
from schemas.errors import MalformedPacket, MalformedXml, TooLarge
from schemas.xml import MAX_TOKEN
from tests.unit.schemas.edxml.strategies import documents

Vector = Callable[[str], bytes]
PROFILE = settings(max_examples=100, deadline=None, database=None)


def pieces(data: bytes, places: Sequence[int] = ()) -> Iterator[bytes]:
    bounds = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    for start, end in pairwise(bounds):
        yield data[start:end]


def cut(data: bytes, *codes: str, places: Sequence[int] = ()) -> bytes:
    return b"".join(cut_recipients(pieces(data, places), codes))


def receivers(data: bytes) -> list[str]:
    packet = read(data)
    assert isinstance(packet, DocumentPacket)
    return [to.organ_id for to in packet.header.receivers]


def without_to(data: bytes, code: str) -> bytes:
    """The same by another way: a regular expression for packets of the usual form."""
    pattern = r"<edXML:To>(?:(?!</edXML:To>).)*?<edXML:OrganId>%s<.*?</edXML:To>"
    found = re.findall(pattern % re.escape(code), data.decode(), re.DOTALL)
    assert len(found) == 1
    return data.replace(found[0].encode(), b"")


@pytest.mark.parametrize("name", ["new_java", "several_attachments", "zipped", "urgent"])
@pytest.mark.parametrize("step", [1, 7, 4096, 10**9])
def test_every_other_byte_stays(vector: Vector, name: str, step: int) -> None:
    data = vector(name)
    everyone = receivers(data)
    for stays in everyone:
        expected = data
        for code in everyone:
            if code != stays:
                expected = without_to(expected, code)
        result = cut(data, stays.lower(), places=range(0, len(data), step))
        assert result == expected
        assert receivers(result) == [stays]


def test_nobody_cut_means_not_a_byte_changed(vector: Vector) -> None:
    for name in ("new_java", "new_dotnet", "oddities"):
        data = vector(name)
        assert cut(data, *receivers(data)) == data


@PROFILE
@given(documents(), st.data(), st.lists(st.integers(0, 100_000), max_size=6))
def test_the_cut_packet_is_the_one_written_for_fewer(
    case: tuple[DocumentPacket, list[bytes]], data: st.DataObject, places: list[int]
) -> None:
    packet, contents = case
    kept = {place: each for place, each in packet.kept.items() if "/To[" not in place}
    packet = packet.model_copy(update={"kept": kept})
    everyone = packet.header.receivers
    some = data.draw(st.lists(st.sampled_from(everyone), min_size=1, unique_by=id))
    staying = tuple(to for to in everyone if to in some)
    header = packet.header.model_copy(update={"receivers": staying})
    files = [[content] for content in contents]
    whole = b"".join(write(packet, files))
    fewer = b"".join(write(packet.model_copy(update={"header": header}), files))
    codes = [to.organ_id for to in staying]
    assert cut(whole, *codes, places=places) == fewer


def test_odd_prefixes_comments_and_lookalikes(vector: Vector) -> None:
    data = vector("oddities").replace(
        b"<q:To><q:OrganId>000.00.11.T90</q:OrganId></q:To>",
        b"""<!-- <q:To><q:OrganId>no</q:OrganId></q:To> --><q:X><q:To/></q:X>
        <x:To xmlns:x="urn:other" a="/q:To>"><q:OrganId>no</q:OrganId></x:To>
        <q:To a='>' b="'"><q:OrganId><![CDATA[T90.]]>3<!-- -->&#x31;</q:OrganId><q:Fax>"</q:Fax>
        </q:To>
        <To><OrganId>H90.<?pi </To> ?>2</OrganId></To
        >""",
    )
    assert receivers(data) == ["000.00.11.t90", "T90.31", "H90.2"]
    cdata = re.compile(rb"<q:To a=.*?</q:To>", re.DOTALL)
    assert cut(data, "000.00.11.T90", "H90.2") == cdata.sub(b"", data)
    bare = re.compile(rb"<To>.*</To\s*>", re.DOTALL)
    first = b"<q:To><q:OrganId>000.00.11.t90</q:OrganId><q:Fax/></q:To>"
    assert cut(data, "t90.31") == bare.sub(b"", data).replace(first, b"")


def test_attachments_in_front_of_the_envelope(vector: Vector) -> None:
    data = vector("new_java")
    attachments = re.compile(rb"<AttachmentEncoded>.*</AttachmentEncoded>", re.DOTALL)
    found = attachments.search(data)
    assert found is not None
    start = data.index(b"<edXML:edXMLEnvelope")
    moved = data[:start] + found[0] + attachments.sub(b"", data)[start:]
    assert receivers(cut(moved, "T90.31.07", places=range(0, len(moved), 50))) == ["T90.31.07"]
    bounded = RecipientCut(["T90.31.07"], PacketLimits(header=1_000))
    given = [len(bounded.feed(piece)) for piece in pieces(moved, range(0, len(moved), 50))]
    assert sum(map(bool, given)) > 10


def test_nothing_comes_out_before_the_list_is_cut(vector: Vector) -> None:
    data = vector("new_java")
    cutting = RecipientCut(["T90.31.07"])
    end = data.index(b"</edXML:MessageHeader>") + len(b"</edXML:MessageHeader>")
    assert cutting.feed(data[: end - 1]) == b""
    assert cutting.feed(data[end - 1 : end]) != b""
    assert cutting.feed(b"x" * 100) == b"x" * 100
    cutting.close()


@pytest.mark.parametrize("codes", [("H90",), ("T90.31.07", "H90"), ()])
def test_a_receiver_that_is_not_in_the_list_is_an_error(
    vector: Vector, codes: tuple[str, ...]
) -> None:
    with pytest.raises(MalformedPacket, match="To does not hold"):
        cut(vector("new_java"), *codes)


def test_what_has_no_list_is_refused(vector: Vector) -> None:
    with pytest.raises(MalformedPacket, match="To does not hold"):
        cut(vector("status_01"), "000.00.11.T90")
    data = vector("new_java")
    with pytest.raises(MalformedPacket, match="MessageHeader has no end"):
        cut(data[: data.index(b"</edXML:MessageHeader>")], "T90.31.07")
    with pytest.raises(MalformedXml):
        cut(data.replace(b"</edXML:DocumentId>", b"</edXML:Documentid>"), "T90.31.07")


def test_a_tag_without_end_is_refused() -> None:
    endless = (b"<edXML " + b"x" * 99_993 for _ in range(MAX_TOKEN // 100_000 + 2))
    with pytest.raises(TooLarge):
        list(cut_recipients(endless, ["T90"]))
