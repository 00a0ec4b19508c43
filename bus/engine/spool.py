"""An original on its way in: counted, hashed and kept piece by piece, in memory or on disk."""

from __future__ import annotations

import hashlib

from bus.ledger.blobs import BlobStore, BlobWriter
from schemas.errors import TooLarge


class Spool:
    def __init__(self, blobs: BlobStore, *, max_bytes: int, inline_bytes: int) -> None:
        """Originals up to `inline_bytes` stay in memory, larger ones go to the blob store."""
        self._blobs = blobs
        self._max_bytes = max_bytes
        self._inline_bytes = inline_bytes
        self._digest = hashlib.sha256()
        self._small = bytearray()
        self._blob: BlobWriter | None = None
        self.size = 0

    def count(self, chunk: bytes) -> None:
        """Before anybody looks into it. Raises TooLarge."""
        self.size += len(chunk)
        if self.size > self._max_bytes:
            limit = self._max_bytes
            raise TooLarge(
                f"the packet is larger than {limit:,} bytes",
                vi=f"Gói tin lớn hơn giới hạn {limit:,} byte",
                limit=limit,
            )
        self._digest.update(chunk)

    async def keep(self, chunk: bytes) -> None:
        if self._blob is not None:
            await self._blob.write(chunk)
            return
        self._small += chunk
        if len(self._small) > self._inline_bytes:
            self._blob = self._blobs.writer()
            await self._blob.write(bytes(self._small))
            self._small.clear()

    @property
    def sha256(self) -> str:
        """Hex, of all that was counted."""
        return self._digest.hexdigest()

    async def commit(self) -> bytes | None:
        """The bytes for the ledger's row; None: they are durable in the blob store."""
        if self._blob is None:
            return bytes(self._small)
        await self._blob.commit()
        return None

    def abort(self) -> None:
        """Leave nothing behind; harmless after commit."""
        if self._blob is not None:
            self._blob.abort()
