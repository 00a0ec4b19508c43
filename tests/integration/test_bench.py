"""The benchmark runs and says what it promises; its figures are never judged here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.rabbitmq, pytest.mark.postgres]

BUSES = {
    f"bus: {broker} + {database}"
    for broker in ("RabbitMQ", "embedded")
    for database in ("PostgreSQL", "SQLite")
}


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("rabbitmq", "postgres")
def test_every_variant_is_measured_beside_its_baselines(tmp_path: Path) -> None:
    """Its own verification (nothing lost or doubled, the ledger agrees) is part of the run."""
    out = tmp_path / "bench.json"
    command = [sys.executable, "-m", "tests.bench", "--quick", "--json", str(out)]
    subprocess.run(command, check=True, capture_output=True)
    scenes = json.loads(out.read_text())["scenes"]
    assert {"naive: aio-pika", "peer P: FastStream", "naive + ledger"} | BUSES == scenes["flow"][
        "median"
    ].keys()
    assert scenes["accept"]["median"].keys() == {"one INSERT a request"} | BUSES
    for scene in scenes.values():
        assert scene["ratios"].keys() == BUSES
        for name in BUSES:
            assert scene["median"][name]["accepted"] > 0
            assert scene["median"][name]["app_cpu"] > 0
