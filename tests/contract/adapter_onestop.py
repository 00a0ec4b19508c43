"""The harness of onestop: the simulated one-stop system. What polling promises is tested with it
in tests/unit/adapters/onestop.
"""

from __future__ import annotations

from adapters.onestop.sandbox import OneStopSandbox
from tests.contract.adapter_conformance import Harness

UNIT = "000.00.00.H99"
SECRET = b"access-key-of-the-one-stop"


class OneStopHarness(Harness):
    def __init__(self) -> None:
        self.secrets = {"onestop": SECRET}
        self.sandbox = OneStopSandbox(UNIT, SECRET)

    async def start(self) -> None:
        await self.sandbox.__aenter__()
        self.config = {
            "url": self.sandbox.url,
            "unit_code": UNIT,
            "secret": "onestop",
            "list_path": "list",
            "detail_path": "detail",
            "ack_path": "ack",
            "poll_seconds": 0.05,
            "connect_seconds": 0.5,
            "answer_seconds": 0.5,
            "ca_file": None,
        }

    async def close(self) -> None:
        await self.sandbox.__aexit__(None, None, None)
