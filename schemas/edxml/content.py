"""Bytes of attachments: incremental base64, measuring, sniffing."""

from __future__ import annotations

import binascii
import codecs
import hashlib
from typing import Protocol

from schemas.edxml.model import Content
from schemas.edxml.unzip import FirstEntry
from schemas.errors import MalformedPacket, TooLarge

HEAD = 8192  # bytes that are looked at to tell what a file is

_MAGIC = (
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
    (b"PK\x05\x06", "application/zip"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"{\\rtf", "application/rtf"),
    (b"<?xml", "application/xml"),
)
_OOXML = "application/vnd.openxmlformats-officedocument."
_BY_EXTENSION = {
    ("application/zip", "docx"): _OOXML + "wordprocessingml.document",
    ("application/zip", "xlsx"): _OOXML + "spreadsheetml.sheet",
    ("application/zip", "pptx"): _OOXML + "presentationml.presentation",
    ("application/zip", "odt"): "application/vnd.oasis.opendocument.text",
    ("application/zip", "ods"): "application/vnd.oasis.opendocument.spreadsheet",
    ("application/x-ole-storage", "doc"): "application/msword",
    ("application/x-ole-storage", "xls"): "application/vnd.ms-excel",
    ("application/x-ole-storage", "ppt"): "application/vnd.ms-powerpoint",
}
_BINARY = {media_type for _, media_type in _MAGIC} - {"application/rtf", "application/xml"}
_REPLACED = b"\xef\xbf\xbd"  # U+FFFD: what a text decoder makes of a byte it cannot read
_REPLACED_MAGIC = (_REPLACED + b"PNG", _REPLACED * 2 + b"\x11", _REPLACED * 3)  # PNG, OLE, JPEG
_SPACES = (b"\n", b"\r", b" ", b"\t")


class Sink(Protocol):
    """Where the bytes of one attachment go. Not closed when reading fails."""

    def write(self, data: bytes, /) -> object: ...
    def close(self) -> None: ...


class Measure:
    """Size, digest and first bytes of what is written to it."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self.size = 0
        self.head = b""

    def write(self, data: bytes) -> None:
        self._digest.update(data)
        self.size += len(data)
        if len(self.head) < HEAD:
            self.head += data[: HEAD - len(self.head)]

    def content(self, name: str) -> Content:
        """What was measured; `name` only helps to tell one ZIP or OLE file from another."""
        return Content(
            size=self.size, sha256=self._digest.hexdigest(), media_type=sniff(self.head, name)
        )

    @property
    def spoiled(self) -> bool:
        """Whether a binary file went through a text decoder on its way: what was no text became
        U+FFFD (bytes EF BF BD), and all of it is valid UTF-8 now, as no binary file is.
        """
        if _REPLACED * 2 not in self.head and not self.head.startswith(_REPLACED_MAGIC):
            return False
        if sniff(self.head, "") not in _BINARY and not self.head.startswith(_REPLACED_MAGIC):
            return False
        try:
            codecs.getincrementaldecoder("utf-8")().decode(self.head)
        except UnicodeDecodeError:
            return False
        return True


class Base64Reader:
    """Decodes the text of one ContentTransferEncoded, in pieces, into a sink.

    `unzipped` is how many bytes may come out of a ZIP.  Raises MalformedPacket when the text is not
    base64 (RFC 4648 §4, white space allowed) or the file was spoiled, TooLarge on a ZIP bomb.
    """

    def __init__(self, index: int, line: int, sink: Sink | None, unzipped: int) -> None:
        self.measure = Measure()
        self.entry: FirstEntry[Measure] = FirstEntry(Measure(), unzipped)
        self._index = index
        self._line = line
        self._sink = sink
        self._carry = b""
        self._padded = False

    def write(self, piece: str) -> None:
        try:
            data = self._carry + _without_space(piece.encode("ascii"))
        except UnicodeEncodeError:
            raise self._invalid("a character outside of the alphabet") from None
        whole = len(data) & ~3
        self._carry = data[whole:]
        if data and self._padded:
            raise self._invalid("data after the padding")
        if whole:
            self._decode(data[:whole])

    def close(self) -> None:
        if self._carry:
            raise self._invalid("its length is not a multiple of four")
        if self.measure.spoiled or self.entry.out.spoiled:
            raise self._refused(
                "the file was decoded as text on its way (EF BF BD stands for bytes that are lost);"
                " send its bytes unchanged",
                "tệp nhị phân đã bị giải mã như văn bản (các byte bị thay bằng EF BF BD, nội dung"
                " đã mất); hệ thống gửi phải truyền nguyên byte",
                "binary-spoiled",
            )
        if self._sink is not None:
            self._sink.close()

    def _decode(self, block: bytes) -> None:
        self._padded = block.endswith(b"=")
        try:
            data = binascii.a2b_base64(block, strict_mode=True)
        except binascii.Error:
            raise self._invalid(
                "a character outside of the alphabet, or misplaced padding"
            ) from None
        self.measure.write(data)
        self.entry.write(data)
        if self.entry.bomb:
            raise self._bomb()
        if self._sink is not None:
            self._sink.write(data)

    def _invalid(self, reason: str) -> MalformedPacket:
        return self._refused(f"not base64: {reason}", "nội dung không phải base64", "not-base64")

    def _refused(self, en: str, vi: str, reason: str) -> MalformedPacket:
        number = self._index + 1
        return MalformedPacket(
            f"attachment {number}, line {self._line}: {en}",
            vi=f"Tệp đính kèm {number}, dòng {self._line}: {vi}",
            element="ContentTransferEncoded",
            line=self._line,
            attachment=number,
            reason=reason,
        )

    def _bomb(self) -> TooLarge:
        number = self._index + 1
        size = self.entry.out.size
        return TooLarge(
            f"attachment {number}, line {self._line}: a ZIP that unpacks to more than {size:,}"
            " bytes, out of all proportion",
            vi=f"Tệp đính kèm {number}, dòng {self._line}: ZIP giải nén ra hơn {size:,} byte,"
            " lớn bất thường so với tệp nén",
            limit=size,
            what="unzipped",
            attachment=number,
        )


def _without_space(data: bytes) -> bytes:
    """Looking first is ten times cheaper than deleting, and most senders break no lines."""
    if any(space in data for space in _SPACES):
        return data.translate(None, b" \t\r\n")
    return data


def sniff(head: bytes, name: str) -> str:
    """Media type from the first bytes; what the packet claims is never asked."""
    for magic, media_type in _MAGIC:
        if head.startswith(magic):
            return _BY_EXTENSION.get((media_type, extension(name)), media_type)
    return "application/octet-stream"


def extension(name: str) -> str:
    """Lower-case, without the dot; "" when there is none."""
    return name.rpartition(".")[2].lower() if "." in name else ""
