"""The harness of dvcqg: the simulated portal on a free port."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from adapters.dvcqg.sandbox import DSTCODE, Account, Portal
from adapters.portal_fields import read_record
from schemas.adapter import OutboundDelivery, Result
from schemas.dossier import DossierRecord
from tests.contract.adapter_conformance import (
    CITIZEN,
    Original,
    Promise,
    PushHarness,
    delivery_of,
)
from tests.unit.adapters.dvcqg.samples import record

PASSWORD = b"mat-khau-cua-tinh-mau"
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


class DvcqgHarness(PushHarness):
    opaque = False
    promises = MappingProxyType(PROMISES)
    deadline = CONNECT + ANSWER + 2.0  # the rest is for a busy machine

    def __init__(self) -> None:
        self.secrets = {"portal": PASSWORD}
        self.portal = Portal([Account("000.00.00.H99", PASSWORD, "000.00.00.H99")])
        self._records: dict[str, DossierRecord] = {}  # by message id

    async def start(self) -> None:
        await self.portal.start()
        self.config = {
            "dialect": "portal",
            "url": self.portal.service_url,
            "login_url": self.portal.login_url,
            "update_url": None,
            "progress_url": None,
            "lookup_url": None,
            "username": "000.00.00.H99",
            "password": "portal",
            "madonvi": "000.00.00.H99",
            "dstcode": DSTCODE,
            "dstcode_in": "query",
            "provider_url": None,
            "session_seconds": 600.0,
            "connect_seconds": CONNECT,
            "answer_seconds": ANSWER,
            "lookup_shows_steps": False,
            "payment_url": f"{self.portal.url}/payment",
            "exchange_url": self.portal.exchange_url,
            "fetch_questions": True,
            "portal_code": "000.00.00.G22",
            "poll_seconds": 60.0,
            "ca_file": None,
        }

    async def close(self) -> None:
        await self.portal.close()

    def delivery(self, **changes: Any) -> OutboundDelivery:
        return self._delivery(record(applicant={"kind": 1, "name": CITIZEN.decode()}), **changes)

    def large(self, size: int) -> tuple[OutboundDelivery, Original]:
        papers = [{"name": "x" * 3000}] * min(size // 3000, 500)
        given = record(submitted_papers=papers)
        original = Original(_canonical(given))
        delivery = self._delivery(given, content=None, open_content=original.open)
        return delivery, original

    def _delivery(self, given: DossierRecord, **changes: Any) -> OutboundDelivery:
        values = {"kind": "dossier", "media_type": "application/json", "order_key": given.code}
        delivery = delivery_of(_canonical(given), **values, **changes)
        self._records[delivery.message_id] = given
        return delivery

    async def set_fault(self, name: str) -> None:
        await self.portal.set_fault(name, retry_after=7)

    async def recover(self) -> None:
        await self.portal.set_fault("ok")

    def arrivals(self, message_id: str) -> int:
        code = self._records[message_id].code
        return sum(each.code == code for each in self.portal.arrivals)

    def effects(self, message_id: str) -> int:
        return int(self.portal.store.record(self._records[message_id].code) is not None)

    def body(self, message_id: str) -> bytes:
        """The portal's fields, read back."""
        given = self._records[message_id]
        stored = self.portal.store.record(given.code)
        return _canonical(read_record(stored, agency=given.agency))

    @property
    def lookups(self) -> int:
        return self.portal.calls.get("TraCuuHoSo", 0)


def _canonical(given: DossierRecord) -> bytes:
    return given.model_dump_json(by_alias=True).encode()
