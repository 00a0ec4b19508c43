"""Hostile packets are refused with a code that says what, whole or in pieces."""

from __future__ import annotations

import base64
import struct
import zlib
from functools import cache

import pytest

from schemas.edxml import PacketLimits, PacketReader
from schemas.errors import LgspError

NS = "http://www.mic.gov.vn/TBT/QCVN_102_2016"
MB = 1_000_000
CHUNK = 65_536


def packet(*files: bytes, subject: str = "s", before: str = "", attributes: str = "") -> bytes:
    attached = "".join(
        f"<Attachment><ContentId>cid:{n}</ContentId><AttachmentName>{n}.pdf</AttachmentName>"
        f'<e:ContentTransferEncoded xmlns:e="{NS}">{file.decode()}</e:ContentTransferEncoded>'
        "</Attachment>"
        for n, file in enumerate(files)
    )
    return (
        f'<?xml version="1.0"?>{before}<edXML xmlns="{NS}"><e:edXMLEnvelope xmlns:e="{NS}">'
        "<e:edXMLHeader><e:MessageHeader><e:From><e:OrganId>T90.01</e:OrganId></e:From>"
        "<e:To><e:OrganId>T90.02</e:OrganId></e:To><e:DocumentId>d</e:DocumentId>"
        f"<e:Subject{attributes}>{subject}</e:Subject></e:MessageHeader></e:edXMLHeader>"
        f"</e:edXMLEnvelope><AttachmentEncoded>{attached}</AttachmentEncoded></edXML>"
    ).encode()


@cache
def zipped(size: int, *, noise: int = 0) -> bytes:
    """Base64 of a ZIP of one entry that unpacks to `size` zeros; `noise` makes it less suspect:
    after so many bytes of zeros comes one that cannot be foreseen.
    """
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = bytes(MB)
    if noise:
        block = b"".join(
            bytes(noise) + struct.pack("<I", zlib.crc32(struct.pack("<I", n)))
            for n in range(MB // (noise + 4))
        )
    piece = squeeze.compress(block) + squeeze.flush(zlib.Z_FULL_FLUSH)
    packed = piece * (size // MB) + squeeze.flush()
    head = struct.pack("<4sHHHHHIIIHH", b"PK\x03\x04", 20, 0, 8, 0, 0, 0, len(packed), 0, 1, 0)
    return base64.b64encode(head + b"a" + packed + b"PK\x01\x02")


def _read(data: bytes, limits: PacketLimits) -> None:
    reader = PacketReader(limits=limits)
    for start in range(0, len(data), CHUNK):
        reader.feed(data[start : start + CHUNK])
    reader.close()


def refusal(data: bytes, limits: PacketLimits | None = None) -> LgspError:
    with pytest.raises(LgspError) as caught:
        _read(data, limits or PacketLimits())
    assert caught.value.detail.vi != caught.value.title.vi
    return caught.value


def test_one_zip_that_unpacks_to_gigabytes() -> None:
    error = refusal(packet(zipped(10_000 * MB)))
    assert (error.code, error.context["what"]) == ("too-large", "unzipped")


def test_many_zips_that_together_unpack_too_much() -> None:
    """None is out of proportion; the limit is one for all attachments of a packet."""
    file = zipped(12 * MB, noise=400)
    limits = PacketLimits(unzipped=100 * MB)
    _read(packet(*[file] * 8), limits)
    error = refusal(packet(*[file] * 9), limits)
    assert (error.code, error.context["what"]) == ("too-large", "unzipped")
    assert error.context["attachment"] == 9


ENTITY = '<!DOCTYPE a [<!ENTITY x "{}">]>'
HOSTILE = {
    "entity": (packet(before=ENTITY.format("y"), subject="&x;"), "malformed-xml"),
    "entity-quoted": (packet(before=ENTITY.format("&#38;#60;a>"), subject="&x;"), "malformed-xml"),
    "quadratic": (packet(before=ENTITY.format("y" * 50_000), subject="&x;" * 9), "malformed-xml"),
    "entity-undeclared": (packet(subject="&x;"), "malformed-xml"),
    "depth": (packet(subject="<a>" * 100_000 + "</a>" * 100_000), "too-large"),
    "depth-unclosed": (packet(subject="<a>" * 100_000), "too-large"),
    "attributes": (
        packet(attributes="".join(f' a{n}=""' for n in range(1_000_000))),
        "too-large",
    ),
    "elements": (packet(subject="<a/>" * 1_000_000), "too-large"),
    "element-name": (packet(subject=f"<{'a' * 11_000_000}/>"), "too-large"),
    "comment": (packet(subject=f"<!--{'a' * 11_000_000}-->"), "too-large"),
    "comments": (packet(subject="<!--a-->" * 1_000_000), "too-large"),
    "comments-first": (packet(before="<!--a-->" * 1_000_000), "too-large"),
    "instructions": (packet(subject="<?a b?>" * 1_000_000), "too-large"),
    "text": (packet(subject="a" * 5_000_000), "too-large"),
    "not-base64": (packet(b"?" * 300_000), "malformed-packet"),
    "base64-cut": (packet(b"A" * 300_001), "malformed-packet"),
    "base64-padding": (packet(b"QQ==" * 100_000), "malformed-packet"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_markup(name: str) -> None:
    data, code = HOSTILE[name]
    assert refusal(data).code == code


def test_a_document_to_two_thousand_agencies_is_read() -> None:
    organ = "".join(
        f"<e:{name}>x</e:{name}>"
        for name in ("OrganName", "OrganAdd", "Email", "Telephone", "Fax", "Website")
    )
    receivers = "".join(f"<e:To><e:OrganId>T90.{n}</e:OrganId>{organ}</e:To>" for n in range(2_000))
    one = b"<e:To><e:OrganId>T90.02</e:OrganId></e:To>"
    _read(packet().replace(one, receivers.encode()), PacketLimits())
