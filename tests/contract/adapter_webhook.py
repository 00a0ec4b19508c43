"""The harness of webhook: its own simulated portal on a free port."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from adapters.webhook.sandbox import Portal
from schemas.adapter import OutboundDelivery, Result
from schemas.dossier import DossierRecord
from schemas.dossier.progress import KNOWN
from tests.contract.adapter_conformance import (
    CITIZEN,
    Original,
    Promise,
    PushHarness,
    delivery_of,
)
from tests.unit.adapters.dvcqg.samples import record

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
    "410": Promise(Result.TRANSIENT, "configuration", effect=False),
    "401": Promise(Result.TRANSIENT, "configuration", effect=False),
}


class WebhookHarness(PushHarness):
    opaque = False
    promises = MappingProxyType(PROMISES)
    deadline = CONNECT + ANSWER + 2.0  # the rest is for a busy machine

    def __init__(self) -> None:
        self.secrets = {"new": NEW, "old": OLD}
        self.portal = Portal(secrets=(NEW,))

    async def start(self) -> None:
        await self.portal.__aenter__()
        self.config = {
            "url": self.portal.url,
            "secret": "new",
            "previous_secret": "old",
            "record_fields": sorted(KNOWN["dossier"]),
            "step_fields": sorted(KNOWN["step"]),
            "connect_seconds": CONNECT,
            "answer_seconds": ANSWER,
            "ca_file": None,
        }

    async def close(self) -> None:
        await self.portal.__aexit__(None, None, None)

    def delivery(self, **changes: Any) -> OutboundDelivery:
        given = record(applicant={"kind": 1, "name": CITIZEN.decode()})
        return _delivery(_canonical(given), **changes)

    def large(self, size: int) -> tuple[OutboundDelivery, Original]:
        papers = [{"name": "x" * 3000}] * min(size // 3000, 500)
        original = Original(_canonical(record(submitted_papers=papers)))
        return _delivery(original.content, content=None, open_content=original.open), original

    async def set_fault(self, name: str) -> None:
        await self.portal.set_fault(name, retry_after=7)

    async def recover(self) -> None:
        await self.portal.set_fault("ok")

    def arrivals(self, message_id: str) -> int:
        return sum(each.message_id == message_id for each in self.portal.book.received)

    def effects(self, message_id: str) -> int:
        return int(message_id in self.portal.events)

    def body(self, message_id: str) -> bytes:
        """What was told, with every field that there is."""
        told = dict(self.portal.events[message_id]["data"])
        told.pop("statusVi")
        told.pop("statusEn")
        return _canonical(DossierRecord.model_validate(told))

    @property
    def lookups(self) -> int:
        return 0


def _delivery(canonical: bytes, **changes: Any) -> OutboundDelivery:
    values = {"kind": "dossier", "media_type": "application/json", "order_key": "H99"}
    return delivery_of(canonical, **(values | changes))


def _canonical(given: DossierRecord) -> bytes:
    return given.model_dump_json(by_alias=True).encode()
