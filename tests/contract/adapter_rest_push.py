"""The harness of rest-push: its own sandbox on a free port."""

from __future__ import annotations

from types import MappingProxyType

from adapters.rest_push.sandbox import Sandbox
from schemas.adapter import Result
from tests.contract.adapter_conformance import Promise, PushHarness

NEW, OLD = b"the-new-secret-of-32-bytes-aaaaaa", b"the-old-secret-of-32-bytes-bbbbbb"
CONNECT, ANSWER = 0.5, 1.0  # seconds: short, so that the suite waits little

UNKNOWN_TIMEOUT = Promise(Result.UNKNOWN, "partner-timeout", effect=True)


PROMISES = {
    "500": Promise(Result.UNKNOWN, "partner-garbage", effect=False),
    "503": Promise(Result.TRANSIENT, "partner-unavailable", effect=False, retry_after=7),
    "hang": UNKNOWN_TIMEOUT,
    "refuse": Promise(Result.TRANSIENT, "partner-unavailable", effect=False),
    "garbage": Promise(Result.UNKNOWN, "partner-garbage", effect=False),
    "slow": UNKNOWN_TIMEOUT,
    "reject": Promise(Result.REJECTED, "partner-refused", effect=False),
    "cut": UNKNOWN_TIMEOUT,
    "half": UNKNOWN_TIMEOUT,
}


class RestPushHarness(PushHarness):
    promises = MappingProxyType(PROMISES)
    deadline = CONNECT + ANSWER + 2.0  # the rest is for a busy machine

    def __init__(self) -> None:
        self.secrets = {"new": NEW, "old": OLD}
        self.sandbox = Sandbox(secrets=(NEW,), keep_bodies=True)

    async def start(self) -> None:
        await self.sandbox.start()
        self.config = {
            "url": self.sandbox.url,
            "lookup_url": self.sandbox.url,
            "secret": "new",
            "previous_secret": "old",
            "connect_seconds": CONNECT,
            "answer_seconds": ANSWER,
            "min_upload_rate": 1_000_000,
            "ca_file": None,
        }

    async def close(self) -> None:
        await self.sandbox.close()

    async def set_fault(self, name: str) -> None:
        await self.sandbox.set_fault(name, retry_after=7)

    async def recover(self) -> None:
        await self.sandbox.set_fault("ok")

    def arrivals(self, message_id: str) -> int:
        return sum(each.message_id == message_id for each in self.sandbox.received)

    def effects(self, message_id: str) -> int:
        return sum(each.first and each.message_id == message_id for each in self.sandbox.received)

    def body(self, message_id: str) -> bytes:
        return self.sandbox.bodies[message_id]

    @property
    def lookups(self) -> int:
        return self.sandbox.lookups
