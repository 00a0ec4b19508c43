"""The harness of vnpost: the simulated post on a free port."""

from __future__ import annotations

import itertools
from types import MappingProxyType
from typing import Any

from adapters.vnpost.sandbox import PostSandbox
from schemas.adapter import OutboundDelivery
from schemas.flows import PostalOrder
from tests.contract.adapter_conformance import CITIZEN, Original, PushHarness, delivery_of
from tests.contract.adapter_rest_push import PROMISES

SECRET = b"consumer-secret-of-the-bus"
CONNECT, ANSWER = 0.5, 1.0  # seconds: short, so that the suite waits little


class VnPostHarness(PushHarness):
    opaque = False
    promises = MappingProxyType(PROMISES)
    deadline = CONNECT + ANSWER + 2.0  # the rest is for a busy machine

    def __init__(self) -> None:
        self.secrets = {"post": SECRET}
        self.post = PostSandbox("truc", SECRET)
        self._orders: dict[str, PostalOrder] = {}  # by message id
        self._numbers = itertools.count(1)

    async def start(self) -> None:
        await self.post.__aenter__()
        self.config = {
            "url": self.post.url,
            "token_url": self.post.token_url,
            "key": "truc",
            "secret": "post",
            "customer_code": "H99-001",
            "order_path": "order/post",
            "cancel_path": "order/cancel",
            "tracking_path": "order/tracking",
            "connect_seconds": CONNECT,
            "answer_seconds": ANSWER,
            "ca_file": None,
        }

    async def close(self) -> None:
        await self.post.__aexit__(None, None, None)

    def delivery(self, **changes: Any) -> OutboundDelivery:
        return self._delivery(self._order(), **changes)

    def large(self, size: int) -> tuple[OutboundDelivery, Original]:
        """An order is short: the rest is blanks behind it."""
        given = self._order()
        original = Original(_canonical(given).ljust(size))
        return self._delivery(given, original, content=None, open_content=original.open), original

    def _order(self) -> PostalOrder:
        party = {"name": CITIZEN.decode(), "address": "Xã Mẫu", "phone": "0000", "province": "33"}
        code = f"H99.02-261124-{next(self._numbers):04d}"
        return PostalOrder.model_validate({"code": code, "sender": party, "receiver": party})

    def _delivery(
        self, given: PostalOrder, original: Original | None = None, **changes: Any
    ) -> OutboundDelivery:
        values = {"kind": "postal-order", "media_type": "application/json", "order_key": given.key}
        content = _canonical(given) if original is None else original.content
        delivery = delivery_of(content, **values, **changes)
        self._orders[delivery.message_id] = given
        return delivery

    async def set_fault(self, name: str) -> None:
        await self.post.set_fault(name, retry_after=7)

    async def recover(self) -> None:
        await self.post.set_fault("ok")

    def arrivals(self, message_id: str) -> int:
        return self.post.arrivals.count(self._orders[message_id].code)

    def effects(self, message_id: str) -> int:
        return int(self._orders[message_id].code in self.post.orders)

    def body(self, message_id: str) -> bytes:
        """The post's fields, read back."""
        stored = self.post.orders[self._orders[message_id].code]
        parties = {
            name.lower(): {
                "name": stored[f"{name}Name"],
                "address": stored[f"{name}Address"],
                "phone": stored[f"{name}Tel"],
                "province": str(stored[f"{name}Province"]),
            }
            for name in ("Sender", "Receiver")
        }
        return _canonical(PostalOrder.model_validate({"code": stored["OrderNumber"], **parties}))

    @property
    def lookups(self) -> int:
        return self.post.lookups


def _canonical(given: PostalOrder) -> bytes:
    return given.model_dump_json(by_alias=True).encode()
