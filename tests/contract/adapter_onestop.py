"""The harness of onestop: the simulated one-stop system. What polling promises is tested with it
in tests/unit/adapters/onestop.
"""

from __future__ import annotations

import itertools
from types import MappingProxyType
from typing import Any

from adapters.onestop.sandbox import OneStopSandbox
from adapters.portal_submission import EVENTS, read_submission
from schemas.adapter import OutboundDelivery
from schemas.flows import Submission
from tests.contract.adapter_conformance import CITIZEN, Original, PushHarness, delivery_of
from tests.contract.adapter_rest_push import PROMISES
from tests.unit.adapters.dvcqg.samples import record

UNIT = "000.00.00.H99"
SECRET = b"access-key-of-the-one-stop"
CONNECT, ANSWER = 0.5, 1.0  # seconds: short, so that the suite waits little


class OneStopHarness(PushHarness):
    opaque = False
    promises = MappingProxyType(PROMISES)
    deadline = CONNECT + ANSWER + 2.0  # the rest is for a busy machine

    def __init__(self) -> None:
        self.secrets = {"onestop": SECRET}
        self.sandbox = OneStopSandbox(UNIT, SECRET)
        self._codes: dict[str, str] = {}  # dossier by message id
        self._numbers = itertools.count(1)

    async def start(self) -> None:
        await self.sandbox.__aenter__()
        self.config = {
            "url": self.sandbox.url,
            "unit_code": UNIT,
            "secret": "onestop",
            "list_path": "list",
            "detail_path": "detail",
            "ack_path": "ack",
            "listing_path": "dossiers",
            "again_path": "again",
            "receive_url": self.sandbox.receive_url,
            "poll_seconds": 0.05,
            "reconcile_hours": 24.0,
            "reconcile_days": 30,
            "calls_per_second": 100.0,
            "connect_seconds": CONNECT,
            "answer_seconds": ANSWER,
            "ca_file": None,
        }

    async def close(self) -> None:
        await self.sandbox.__aexit__(None, None, None)

    def delivery(self, **changes: Any) -> OutboundDelivery:
        return self._delivery(self._submission(), **changes)

    def large(self, size: int) -> tuple[OutboundDelivery, Original]:
        papers = [{"name": "x" * 3000}] * min(size // 3000, 500)
        given = self._submission(submitted_papers=papers)
        original = Original(_canonical(given))
        return self._delivery(given, content=None, open_content=original.open), original

    def _submission(self, **given: Any) -> Submission:
        code = f"G22.99.99-261124-{next(self._numbers):04d}"
        told = record(
            code=code,
            nation_code=code,
            agency="G22.99.99",
            applicant={"kind": 1, "name": CITIZEN.decode()},
            **given,
        )
        return Submission(record=told)

    def _delivery(self, given: Submission, **changes: Any) -> OutboundDelivery:
        values = {"kind": "submission", "media_type": "application/json", "order_key": given.key}
        delivery = delivery_of(_canonical(given), **values, **changes)
        self._codes[delivery.message_id] = given.key
        return delivery

    async def set_fault(self, name: str) -> None:
        await self.sandbox.set_fault(name, retry_after=7)

    async def recover(self) -> None:
        await self.sandbox.set_fault("ok")

    def arrivals(self, message_id: str) -> int:
        return self.sandbox.pushed.count(self._codes[message_id])

    def effects(self, message_id: str) -> int:
        return len(self._stored(message_id))

    def body(self, message_id: str) -> bytes:
        """The portal's fields, read back."""
        (stored,) = self._stored(message_id)
        return _canonical(read_submission(stored, event=EVENTS[stored["LoaiSuKien"]]))

    def _stored(self, message_id: str) -> list[dict[str, Any]]:
        code = self._codes[message_id]
        return [each for each in self.sandbox.submissions if each["MaHoSo"] == code]

    @property
    def lookups(self) -> int:
        return 0


def _canonical(given: Submission) -> bytes:
    return given.model_dump_json(by_alias=True).encode()
