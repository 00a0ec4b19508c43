"""The blob store: large originals as files, named by the SHA-256 of their content.

A blob is durable (file and folder fsynced) before the ledger names it.  A crash between the two
leaves a file that no message names: it costs room and harms nothing; nothing removes it yet.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from schemas.errors import LedgerUnavailable, NotFound

PIECE = 256 * 1024
"""Bytes read or written at a time."""


class BlobWriter:
    """Collects one blob in a temporary file; nothing is visible before `commit`."""

    def __init__(self, store: BlobStore) -> None:
        self._store = store
        self._digest = hashlib.sha256()
        self.size = 0
        handle, name = tempfile.mkstemp(dir=store.incoming)
        self._file = os.fdopen(handle, "wb", buffering=PIECE)
        self._path = Path(name)

    async def write(self, data: bytes) -> None:
        self._digest.update(data)
        self.size += len(data)
        try:
            await asyncio.to_thread(self._file.write, data)
        except OSError as error:
            raise _unwritable(error) from error

    async def commit(self) -> str:
        """Make it durable; returns its SHA-256 in hex."""
        name = self._digest.hexdigest()
        try:
            await asyncio.to_thread(self._publish, self._store.path(name))
        except OSError as error:
            raise _unwritable(error) from error
        return name

    def abort(self) -> None:
        """Forget it; harmless after a commit."""
        self._file.close()
        self._path.unlink(missing_ok=True)

    def _publish(self, target: Path) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        if not target.parent.exists():
            target.parent.mkdir(exist_ok=True)
            _sync_folder(target.parent.parent)
        self._path.replace(target)
        _sync_folder(target.parent)


class BlobStore:
    """A folder of content-addressed files: `ab/abcdef…`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.incoming = folder / "incoming"
        self.incoming.mkdir(parents=True, exist_ok=True)

    def path(self, sha256: str) -> Path:
        return self.folder / sha256[:2] / sha256

    def writer(self) -> BlobWriter:
        try:
            return BlobWriter(self)
        except OSError as error:
            raise _unwritable(error) from error

    @asynccontextmanager
    async def open(self, sha256: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """The content in pieces. NotFound when the store does not have it."""
        try:
            file = await asyncio.to_thread(self.path(sha256).open, "rb")
        except FileNotFoundError as error:
            raise NotFound(f"content {sha256} is not in the blob store") from error
        try:
            yield _pieces(file)
        finally:
            file.close()


async def _pieces(file: object) -> AsyncIterator[bytes]:
    read = file.read  # type: ignore[attr-defined]  # any binary file
    while piece := await asyncio.to_thread(read, PIECE):
        yield piece


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _unwritable(error: OSError) -> LedgerUnavailable:
    return LedgerUnavailable(
        f"the blob store cannot be written: {error.strerror}",
        vi=f"Không ghi được kho tệp: {error.strerror}",
        retry_after=10,
    )
