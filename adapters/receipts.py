"""What a sandbox received: one effect per message id, appended to a file that outlives a crash."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import orjson


class Receipt(NamedTuple):
    """One arrival. Only the first arrival of a message id has an effect; later ones are repeats."""

    order: int  # 1 is the first arrival of all, repeats counted
    message_id: str
    sha256: str  # hex, of the bytes that arrived
    size: int  # bytes
    sender: str
    kind: str
    attempt: int  # as the bus says, 1 is the first
    first: bool  # False: a repeat of a message that is already here
    receipt: str  # the agency's own number for the message, the same for every repeat
    time: float  # seconds since 1970
    identity: str = ""  # what the packet says it is (adapters.identity)


class ReceiptBook:
    """Sổ văn bản đến of a simulated agency.

    With a path every arrival is one line of NDJSON, written to the file before `record` returns:
    a killed process loses nothing that it has answered.  An existing file is read back first, so
    that a restarted sandbox still knows what it has.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.received: list[Receipt] = []
        self.effects: dict[str, Receipt] = {}  # by message id
        self._file: int | None = None
        if path is not None:
            self._reload(path)
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def repeats(self) -> int:
        return len(self.received) - len(self.effects)

    def record(
        self,
        *,
        message_id: str,
        sha256: str,
        size: int,
        sender: str,
        kind: str,
        attempt: int,
        identity: str = "",
    ) -> Receipt:
        """Notes an arrival; `first` of the answer says whether it had an effect."""
        known = self.effects.get(message_id)
        receipt = Receipt(
            order=len(self.received) + 1,
            message_id=message_id,
            sha256=sha256,
            size=size,
            sender=sender,
            kind=kind,
            attempt=attempt,
            first=known is None,
            receipt=known.receipt if known else f"VB-{len(self.effects) + 1:08d}",
            time=time.time(),
            identity=identity,
        )
        if self._file is not None:
            os.write(self._file, orjson.dumps(receipt._asdict()) + b"\n")
        self._keep(receipt)
        return receipt

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _keep(self, receipt: Receipt) -> None:
        self.received.append(receipt)
        self.effects.setdefault(receipt.message_id, receipt)

    def _reload(self, path: Path) -> None:
        if not path.exists():
            return
        content = path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):  # killed in the middle of a line: that arrival had no answer
            os.truncate(path, len(whole))
        for line in whole.splitlines():
            self._keep(Receipt(**orjson.loads(line)))
