"""The benchmark runs and says what it promises; its figures are never judged here."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench import mediation, translate
from tests.bench.__main__ import FASTSTREAM, LEDGERED, NAIVE, peers, scenes

BUSES = {
    f"bus: {broker} + {database}"
    for broker in ("RabbitMQ", "embedded")
    for database in ("PostgreSQL", "SQLite")
} | {"bus: roles apart"}


@pytest.mark.rabbitmq
@pytest.mark.postgres
@pytest.mark.timeout(300)
@pytest.mark.usefixtures("rabbitmq", "postgres")
def test_every_variant_is_measured_beside_its_baselines(tmp_path: Path) -> None:
    """Its own verification (nothing lost or doubled, the ledger agrees) is part of the run."""
    out = tmp_path / "bench.json"
    command = [sys.executable, "-m", "tests.bench", "--quick", "--json", str(out)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-5_000:]
    assert "install it with" not in done.stderr
    scenes = json.loads(out.read_text())["scenes"]
    flow = {"naive: aio-pika", "naive + ledger", FASTSTREAM} | BUSES
    assert scenes["flow"]["median"].keys() == flow
    assert scenes["accept"]["median"].keys() == {"one INSERT a request"} | BUSES
    assert all(scenes["flow"]["median"][name]["app_cpu"] > 0 for name in BUSES)
    for scene in scenes.values():  # CPU comes in ticks: few messages may take none
        assert scene["ratios"].keys() == BUSES
        for name in BUSES:
            assert all(ratio > 0 for ratio in scene["ratios"][name].values())
            assert scene["median"][name]["accepted"] > 0


@pytest.mark.rabbitmq
@pytest.mark.postgres
@pytest.mark.timeout(300)
@pytest.mark.usefixtures("rabbitmq", "postgres")
def test_growth_is_measured_and_verified(tmp_path: Path) -> None:
    out = tmp_path / "growth.json"
    few = ("--messages", "20", "--rounds", "1", "--rows", "10000", "--json", str(out))
    command = [sys.executable, "-m", "tests.bench.growth", "rows", *few]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-5_000:]
    assert [(each["value"], each["rate"] > 0) for each in json.loads(out.read_text())] == [
        (0, True),
        (10_000, True),
    ]


def test_the_peer_is_left_out_where_it_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = argparse.Namespace(messages=100, in_flight=8)
    assert [each.baselines[0] for each in scenes(asked) if each.delivers] == [FASTSTREAM] * 2
    monkeypatch.setitem(sys.modules, "faststream", None)
    assert peers() == ()
    assert [each.baselines for each in scenes(asked) if each.delivers] == [(LEDGERED,), (NAIVE,)]


def test_translation_is_measured_beside_its_peers() -> None:
    found = translate.measure((2,), rounds=1, seconds=0.001)
    peers = {"zeep", "xmlschema", "xmltodict"}
    assert {
        name: each["× bus"].keys() - {translate.BUS_UNCHECKED} for name, each in found.items()
    } == {
        "2 KB, XML → JSON": peers,
        "2 KB, JSON → XML": peers,
    }
    assert all(value > 0 for each in found.values() for value in each["µs"].values())


async def test_mediation_is_measured_without_errors() -> None:
    found = await mediation.measure(0.2, callers=(4,))
    assert [(each.kilobytes, each.errors) for each in found] == [(10, 0), (100, 0)]
    assert all(each.calls >= 4 and each.p99 >= each.p50 > 0 for each in found)
