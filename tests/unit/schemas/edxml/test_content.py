"""Sniffing, and looking into ZIP wrappings while they stream by."""

from __future__ import annotations

import io
import zipfile

import pytest

from schemas.edxml.content import Measure, sniff
from schemas.edxml.unzip import FirstEntry

NAME = "6f1c2f0e-3a51-4c1e-9b7d-0d4a5b6c7d8e"
TEXT = b"noi dung " * 5_000


class Unseekable(io.BytesIO):
    """Makes zipfile write data descriptors, as Java does."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_args: int) -> int:
        raise io.UnsupportedOperation

    def tell(self) -> int:
        raise io.UnsupportedOperation


def zipped(
    *entries: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED, streaming: bool = False
) -> bytes:
    file = Unseekable() if streaming else io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return file.getvalue()


def looked_into(data: bytes, piece: int = 1_000) -> FirstEntry[Measure]:
    entry = FirstEntry(Measure(), 1_000_000_000)
    for start in range(0, len(data), piece):
        entry.write(data[start : start + piece])
    return entry


@pytest.mark.parametrize("piece", [1, 7, 1_000, 1_000_000])
@pytest.mark.parametrize("streaming", [False, True])
def test_single_entry_is_measured(piece: int, *, streaming: bool) -> None:
    entry = looked_into(zipped((f"{NAME}.pdf", TEXT), streaming=streaming), piece)
    expected = Measure()
    expected.write(TEXT)
    assert entry.wraps("pdf")
    assert entry.out.content("x") == expected.content("x")


def test_stored_entry_is_measured() -> None:
    entry = looked_into(zipped((f"{NAME}.png", TEXT), method=zipfile.ZIP_STORED), 13)
    assert entry.wraps("png")
    assert entry.out.size == len(TEXT)


def test_stored_entry_of_unknown_length_is_left_alone() -> None:
    data = zipped((f"{NAME}.png", TEXT), method=zipfile.ZIP_STORED, streaming=True)
    assert not looked_into(data).wraps("png")


@pytest.mark.parametrize(
    ("names", "extension", "wraps"),
    [
        ([f"{NAME}.docx"], "docx", True),
        ([f"{NAME}.xlsx"], "docx", False),
        (["[Content_Types].xml", "word/document.xml"], "docx", False),
        (["ke_hoach.pdf"], "zip", False),
        (["bat_ky.edxml"], "doc", True),
        (["../../etc/passwd"], "pdf", True),
        (["a.pdf", "b.pdf"], "pdf", False),
    ],
)
def test_what_counts_as_a_wrapping(names: list[str], extension: str, *, wraps: bool) -> None:
    assert looked_into(zipped(*((name, TEXT) for name in names))).wraps(extension) is wraps


def test_what_is_no_zip_or_a_broken_one() -> None:
    good = zipped((f"{NAME}.pdf", TEXT))
    for data in (b"", b"PK", b"%PDF-1.4", good[:40], good[:60] + b"\xff" * 40 + good[100:]):
        assert not looked_into(data).wraps("pdf")


def test_bomb_is_given_up() -> None:
    entry = looked_into(zipped((f"{NAME}.pdf", b"\0" * 40_000_000)))
    assert entry.bomb
    assert not entry.wraps("pdf")
    assert entry.out.size < 17_000_000


def test_blank_scans_are_no_bombs() -> None:
    assert looked_into(zipped((f"{NAME}.bmp", b"\xff" * 15_000_000))).wraps("bmp")


@pytest.mark.parametrize(
    ("head", "name", "expected"),
    [
        (b"%PDF-1.7", "x.doc", "application/pdf"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "x.xls", "application/vnd.ms-excel"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "x", "application/x-ole-storage"),
        (b"PK\x03\x04", "X.ODT", "application/vnd.oasis.opendocument.text"),
        (b"PK\x03\x04", "x.pdf", "application/zip"),
        (b"MZ\x90", "x.pdf", "application/octet-stream"),
        (b"", "", "application/octet-stream"),
    ],
)
def test_sniffing(head: bytes, name: str, expected: str) -> None:
    assert sniff(head, name) == expected
