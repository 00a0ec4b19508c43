"""The blob store: large originals as files, named by the SHA-256 of their content.

A blob is durable (file and folder fsynced) before the ledger names it.  A crash between the two
leaves a file that no message names: it costs room until `bus.ledger.sweep` removes it.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import re
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from schemas.errors import LedgerUnavailable, NotFound

PIECE = 256 * 1024
"""Bytes read or written at a time."""

_NAME = re.compile(r"[0-9a-f]{64}")


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
        self._path.unlink(missing_ok=True)
        with suppress(OSError):  # closing writes what is left in the buffer; the disk may be full
            self._file.close()

    def _publish(self, target: Path) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        if not target.parent.exists():
            target.parent.mkdir(exist_ok=True)
            _sync_folder(target.parent.parent)
        with self._store.locked(fcntl.LOCK_SH):  # nobody removes it while it becomes young
            os.utime(self._path)
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

    @contextmanager
    def locked(self, how: int) -> Iterator[None]:
        """Between all processes: shared to put a blob in its place, exclusive to remove one."""
        with (self.folder / "lock").open("a") as file:
            fcntl.flock(file, how)  # closing the file gives it back, and so does a crash
            yield

    def names(self, after: str, limit: int) -> list[str]:
        """The next blobs in order of names. Raises LedgerUnavailable."""
        found: list[str] = []
        try:
            for number in range(int(after[:2] or "0", 16), 256):
                folder = self.folder / f"{number:02x}"
                if folder.is_dir():
                    inside = sorted(path.name for path in folder.iterdir())
                    found += [name for name in inside if name > after and _NAME.fullmatch(name)]
                if len(found) >= limit:
                    break
        except OSError as error:
            raise _unwritable(error) from error
        return found[:limit]

    def older(self, names: Sequence[str], than: float) -> list[str]:
        """Those last written before `than` (seconds since the epoch)."""
        return [name for name in names if _older(self.path(name), than)]

    def remove(self, sha256: str, older_than: float) -> bool:
        """False when it has been written anew, or is gone. Raises LedgerUnavailable."""
        path = self.path(sha256)
        try:
            with self.locked(fcntl.LOCK_EX):
                if not _older(path, older_than):
                    return False
                path.unlink()
        except OSError as error:
            raise _unwritable(error) from error
        return True

    def clear_incoming(self, older_than: float) -> int:
        """Remove packets that stopped arriving; returns how many. Raises LedgerUnavailable."""
        try:
            left = [path for path in self.incoming.iterdir() if _older(path, older_than)]
            for path in left:
                path.unlink(missing_ok=True)  # other processes do the same
        except OSError as error:
            raise _unwritable(error) from error
        return len(left)


def _older(path: Path, than: float) -> bool:
    try:
        return path.stat().st_mtime < than
    except FileNotFoundError:
        return False


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
