"""The harness of vxp: the simulated national axis on a free port."""

from __future__ import annotations

from types import MappingProxyType

from adapters.vxp.sandbox import Axis, Province
from schemas.adapter import Result
from tests.contract.adapter_conformance import Promise, PushHarness

SECRET = b"bmj1Y2sgw6Ega2jDtG5nIHRo4bqtdA=="
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


class VxpHarness(PushHarness):
    """The suite sends bytes that are no edXML, so its axis is one of the lenient ones."""

    promises = MappingProxyType(PROMISES)
    deadline = CONNECT + ANSWER + 2.0  # the rest is for a busy machine

    def __init__(self) -> None:
        self.secrets = {"axis": SECRET}
        self.axis = Axis([Province("00.38.W00", SECRET, ("H38.01",))], strict=False)

    async def start(self) -> None:
        await self.axis.start()
        self.config = {
            "url": self.axis.url,
            "systemid": "00.38.W00",
            "secret": "axis",
            "poll_seconds": 0.1,
            "connect_seconds": CONNECT,
            "answer_seconds": ANSWER,
            "min_upload_rate": 1_000_000,
            "ca_file": None,
        }

    async def close(self) -> None:
        await self.axis.close()

    async def set_fault(self, name: str) -> None:
        await self.axis.set_fault(name, retry_after=7)

    async def recover(self) -> None:
        await self.axis.set_fault("ok")

    def arrivals(self, message_id: str) -> int:
        return sum(each.message_id == message_id for each in self.axis.uploads)

    def effects(self, message_id: str) -> int:
        return len({each.doc_id for each in self.axis.uploads if each.message_id == message_id})

    def body(self, message_id: str) -> bytes:
        upload = next(each for each in self.axis.uploads if each.message_id == message_id)
        return self.axis.bodies[upload.doc_id]

    @property
    def lookups(self) -> int:
        return self.axis.calls.get("/getSentEdocList", 0)
