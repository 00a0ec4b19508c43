"""First entry of a ZIP while it streams by, and whether it is the only one.

Java clients wrap a file in a ZIP with exactly one entry `<uuid>.<ext>` (edXML packets of 2018 and
later).  The name of the entry is never used as a path.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

_LOCAL = struct.Struct("<4sHHHHHIIIHH")  # local file header, APPNOTE 4.3.7
_LOCAL_SIGNATURE = b"PK\x03\x04"
_CENTRAL_SIGNATURE = b"PK\x01\x02"
_ENCRYPTED, _DESCRIPTOR = 0x1, 0x8
_STORED, _DEFLATED = 0, 8
_TAIL = 28  # the longest data descriptor and the signature behind it
_STEP = 65_536
_FREE = (
    16_000_000  # bytes that may come out before the ratio is watched: a blank scan is that large
)
_RATIO = 250  # bytes out for one in; deflate cannot do more than 1,032

CONTAINERS = frozenset(
    {"zip", "docx", "xlsx", "pptx", "odt", "ods", "odp", "jar", "epub", "asice", "docm", "xlsm"}
)
_UUID_NAME = re.compile(r"[0-9a-fA-F]{8}(?:-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}\.(\w{1,10})")


class _Out(Protocol):
    def write(self, data: bytes, /) -> None: ...


OutT = TypeVar("OutT", bound=_Out)


class FirstEntry(Generic[OutT]):
    """Feed the bytes of a file with `write`; then ask `name` and `wraps`.

    What the entry holds has gone to `out`, in flat memory; more than `most` bytes make it a bomb.
    """

    def __init__(self, out: OutT, most: int) -> None:
        self.out = out
        self.name: str | None = None  # None: not a ZIP that could be read
        self.bomb = False  # it grew out of all proportion and was given up
        self._held = b""
        self._step: Callable[[bytes], bytes] = self._header
        self.written = 0  # bytes that came out
        self._most = most
        self._inflater: Any = None  # zlib's type has no public name; costly, so made when needed
        self._left = 0
        self._read = 0
        self._tail = b""

    def write(self, data: bytes) -> None:
        self._read += len(data)
        while data:
            data = self._step(data)

    def wraps(self, attachment_extension: str) -> bool:
        """Whether the ZIP is only the wrapping of a file with that extension."""
        if self.name is None or self.bomb or not self._single():
            return False
        if attachment_extension not in CONTAINERS:
            return True
        named = _UUID_NAME.fullmatch(self.name)
        return named is not None and named[1].lower() == attachment_extension

    def _single(self) -> bool:
        return _CENTRAL_SIGNATURE in self._tail and _LOCAL_SIGNATURE not in self._tail

    def _header(self, data: bytes) -> bytes:
        self._held += data
        if not _LOCAL_SIGNATURE.startswith(self._held[:4]):
            return self._give_up()
        if len(self._held) < _LOCAL.size:
            return b""
        _, _, flags, method, _, _, _, packed, _, name, extra = _LOCAL.unpack_from(self._held)
        start = _LOCAL.size + name + extra
        if len(self._held) < start:
            return b""
        if flags & _ENCRYPTED or not self._choose(method, flags, packed):
            return self._give_up()
        self.name = self._held[_LOCAL.size : _LOCAL.size + name].decode("utf-8", "replace")
        rest, self._held = self._held[start:], b""
        return rest

    def _choose(self, method: int, flags: int, packed: int) -> bool:
        if method == _DEFLATED:
            self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)
            self._step = self._inflate
            return True
        self._step = self._copy
        self._left = packed
        return method == _STORED and not flags & _DESCRIPTOR

    def _inflate(self, data: bytes) -> bytes:
        try:
            piece = self._inflater.decompress(data, _STEP)
        except zlib.error:
            return self._give_up()
        if self._inflater.eof:
            self._step = self._ending
        self._put(piece)
        rest: bytes = self._inflater.unused_data or self._inflater.unconsumed_tail
        return rest

    def _copy(self, data: bytes) -> bytes:
        self._put(data[: self._left])
        rest = data[self._left :]
        self._left -= len(data) - len(rest)
        if not self._left:
            self._step = self._ending
        return rest

    def _put(self, piece: bytes) -> None:
        self.out.write(piece)
        self.written += len(piece)
        out_of_proportion = self.written > _FREE and self.written > self._read * _RATIO
        if out_of_proportion or self.written > self._most:
            self.bomb = True
            self._give_up()

    def _ending(self, data: bytes) -> bytes:
        if len(self._tail) < _TAIL:
            self._tail += data[: _TAIL - len(self._tail)]
        return b""

    def _give_up(self) -> bytes:
        self.name = None
        self._held = b""
        self._step = self._ignore
        return b""

    def _ignore(self, _data: bytes) -> bytes:
        return b""
