"""What the conformance suite needs to know about each adapter: one harness per kind.

A harness starts the adapter's own sandbox and says what each of its faults promises.
"""

from __future__ import annotations

import hashlib
import itertools
import random
import uuid
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import aiohttp

from schemas.adapter import OutboundDelivery, Result
from schemas.message import Lane

KNOWN_NONCONFORMANT: Mapping[str, frozenset[str]] = MappingProxyType({})
"""Checks (test function names) that a kind is allowed to fail. May only shrink."""

CITIZEN = b"Nguyen Van A"
_ids = itertools.count(1)


@dataclass(frozen=True)
class Promise:
    """What one attempt must bring while a fault is on."""

    result: Result
    code: str
    effect: bool  # whether the partner nevertheless has the message
    retry_after: float | None = None


class Harness(ABC):
    """Common to both modes."""

    config: Mapping[str, object]  # a complete configuration, with every optional field
    secrets: Mapping[str, bytes] = MappingProxyType({})

    def resolve(self, name: str) -> bytes:
        return self.secrets[name]

    @abstractmethod
    async def start(self) -> None: ...

    @abstractmethod
    async def close(self) -> None: ...


class PushHarness(Harness):
    """Drives the sandbox of a push adapter."""

    opaque = True  # takes any bytes and hands over the very same; False: writes them anew
    deadline: float  # seconds: the longest that one attempt may take with `config`
    promises: Mapping[str, Promise]  # by the name of the sandbox's fault

    def delivery(self, **changes: Any) -> OutboundDelivery:
        """A small one that the adapter takes, with the name of a citizen in it."""
        return small(
            b"<personal>%s %s</personal>" % (CITIZEN, uuid.uuid4().hex.encode()), **changes
        )

    def large(self, size: int) -> tuple[OutboundDelivery, Original]:
        """One of about `size` bytes that is streamed."""
        return large(size)

    @abstractmethod
    async def set_fault(self, name: str) -> None: ...

    @abstractmethod
    async def recover(self) -> None: ...

    @abstractmethod
    def arrivals(self, message_id: str) -> int:
        """How often the message arrived completely."""

    @abstractmethod
    def effects(self, message_id: str) -> int:
        """How often it took effect at the partner."""

    @abstractmethod
    def body(self, message_id: str) -> bytes:
        """The bytes that took effect, in the form in which they were handed over."""

    @property
    @abstractmethod
    def lookups(self) -> int: ...


class PullHarness(Harness):
    """A mailbox server in miniature and the adapter's simulated client system."""

    @abstractmethod
    async def put(self, packet: bytes) -> str:
        """Makes a packet wait; its message id."""

    @abstractmethod
    async def poll(self) -> int:
        """One round of the client: the number of deliveries acknowledged."""

    @abstractmethod
    def crash_next(self, place: str) -> None:
        """The client dies at this place ("after-fetch", "after-store") and is restarted."""

    @abstractmethod
    def effects(self, message_id: str) -> int: ...

    @abstractmethod
    def acknowledged(self, message_id: str) -> bool: ...


@dataclass
class Original:
    """A packet as the blob store gives it, which notes whether it is open."""

    content: bytes
    piece: int = 64 * 1024
    open_now: int = 0
    opened: int = 0
    break_after: int | None = None  # bytes after which reading fails
    sha256: str = field(init=False)

    def __post_init__(self) -> None:
        self.sha256 = hashlib.sha256(self.content).hexdigest()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[AsyncIterator[bytes]]:
        self.open_now += 1
        self.opened += 1
        try:
            yield self._pieces()
        finally:
            self.open_now -= 1

    async def _pieces(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self.content), self.piece):
            if self.break_after is not None and start >= self.break_after:
                raise OSError("the disk failed")
            yield self.content[start : start + self.piece]


def small(content: bytes | None = None, **changes: Any) -> OutboundDelivery:
    """A delivery whose original is in memory."""
    packet = b"<edXML>%s</edXML>" % uuid.uuid4().hex.encode() if content is None else content
    return delivery_of(packet, **changes)


def large(size: int = 20_000_000) -> tuple[OutboundDelivery, Original]:
    """A delivery whose original is streamed."""
    original = Original(random.Random(size).randbytes(size))
    return _delivery(original, open_content=original.open), original


def delivery_of(packet: bytes, **changes: Any) -> OutboundDelivery:
    """A delivery of this content, in memory unless `changes` say otherwise."""
    return _delivery(Original(packet), **({"content": packet} | changes))


def _delivery(original: Original, **changes: Any) -> OutboundDelivery:
    number = next(_ids)
    values: dict[str, Any] = {
        "id": number,
        "message_id": str(uuid.uuid4()),
        "sender": "H38.01",
        "receivers": ("H38.02",),
        "kind": "document",
        "media_type": "application/xml",
        "size": len(original.content),
        "sha256": original.sha256,
        "lane": Lane.NORMAL,
        "order_key": f"key-{number}",
        "attempt": 1,
        "maybe_sent": False,
        "trace": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    }
    return OutboundDelivery(**(values | changes))


def idle(http: aiohttp.ClientSession) -> bool:
    """Whether no request of the session holds a connection."""
    connector = http.connector
    return connector is not None and not connector._acquired


def pooled(http: aiohttp.ClientSession) -> int:
    """How many idle connections of the session are still connected."""
    assert http.connector is not None
    waiting = itertools.chain.from_iterable(http.connector._conns.values())
    return sum(each[0].is_connected() for each in waiting)


def harnesses() -> Mapping[str, Callable[[], Harness]]:
    from tests.contract.adapter_dvcqg import DvcqgHarness  # noqa: PLC0415 - they import this module
    from tests.contract.adapter_mailbox import MailboxHarness  # noqa: PLC0415
    from tests.contract.adapter_onestop import OneStopHarness  # noqa: PLC0415
    from tests.contract.adapter_rest_push import RestPushHarness  # noqa: PLC0415
    from tests.contract.adapter_vnpost import VnPostHarness  # noqa: PLC0415
    from tests.contract.adapter_vxp import VxpHarness  # noqa: PLC0415
    from tests.contract.adapter_webhook import WebhookHarness  # noqa: PLC0415

    return {
        "rest-push": RestPushHarness,
        "mailbox": MailboxHarness,
        "onestop": OneStopHarness,
        "vnpost": VnPostHarness,
        "vxp": VxpHarness,
        "dvcqg": DvcqgHarness,
        "webhook": WebhookHarness,
    }
