"""write(read(packet)) says what the packet said: same values, whatever the order of elements."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from schemas.edxml import read
from tests.unit.schemas.edxml.equivalence import rewritten, said, tolerated

Vector = Callable[[str], bytes]

EXACT = [
    *("new_java", "urgent", "several_attachments", "zipped", "zip_slip", "short_codes"),
    *("recall", "update", "replacement", "extensions", "prefix_dropped", "new_dotnet"),
    *(f"status_{code}" for code in ("01", "02", "03", "04", "05", "06", "13", "15", "16")),
]


@pytest.mark.parametrize("name", [*EXACT, "hub_trace", "dates"])
def test_a_packet_is_written_as_it_was_read(vector: Vector, name: str) -> None:
    data = vector(name)
    written = rewritten(data)
    assert said(written) == tolerated(said(data))
    assert rewritten(written) == written


@pytest.mark.parametrize("name", EXACT)
def test_nothing_of_a_usual_packet_needs_tolerance(vector: Vector, name: str) -> None:
    original = said(vector(name))
    differing = set(tolerated(original).items()) ^ set(original.items())
    assert {re.sub(r"\[\d+\]", "", place).rpartition("/")[2] for place, _ in differing} <= (
        {"ContentId"} if name == "new_dotnet" else set()
    )


def test_the_signature_of_the_java_client_keeps_its_form(vector: Vector) -> None:
    data = vector("new_java")
    found = re.search(rb"<Signature>.*</Signature>", data, re.DOTALL)
    assert found is not None
    kept = re.search(rb"<Signature>.*</Signature>", rewritten(data), re.DOTALL)
    assert kept is not None
    assert kept[0] == found[0].replace(b" />", b"/>")


def test_a_signature_in_its_own_namespace_keeps_it(vector: Vector) -> None:
    written = rewritten(vector("extensions"))
    assert b'<Signature xmlns="http://www.w3.org/2000/09/xmldsig#" Id="ky-so">' in written
    (signature,) = read(written).signatures
    assert signature.name == "{http://www.w3.org/2000/09/xmldsig#}Signature"


def test_an_empty_signature_stays(vector: Vector) -> None:
    assert b"</edXML:TraceHeaderList><edXML:DigitalSignature/>" in rewritten(vector("new_dotnet"))


def test_what_the_reader_cannot_know_is_written_back(vector: Vector) -> None:
    written = rewritten(vector("extensions"))
    for part in (
        '<edXML:Subject nguon="số &amp; ký hiệu" xml:lang="vi">',
        '<edXML:SecurityLevel code="0">Thường</edXML:SecurityLevel>',
        '<Extra xmlns="urn:example:songmau" xmlns:n1="urn:example:songmau" n1:version="2">',
        '<Field name="a">1 &lt; 2</Field>và chữ</Extra>',
        '<edXML:TraceHeaderList id="5120" version="1.0">',
    ):
        assert part.encode() in written
    assert b'xlink:href="cid:f1"' in rewritten(vector("new_dotnet"))
