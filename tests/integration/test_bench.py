"""The benchmark runs and says what it promises; its figures are never judged here."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import pytest

from bus.ledger.ledger import Ledger
from bus.ledger.migrate import migrate
from deploy.services import RabbitMQ
from schemas import instant
from tests.bench import mediation, replay, search, translate
from tests.bench.__main__ import FASTSTREAM, LEDGERED, NAIVE, peers, scenes
from tests.bench.search_insert import insert
from tests.bench.search_rows import Shape, fill

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
async def test_a_small_replay(rabbitmq: RabbitMQ, postgres_url: str, tmp_path: Path) -> None:
    scene = replay.Scene(tmp_path / "stage", rabbitmq.url, postgres_url)
    try:
        scene.open()
        verdict, figures = await replay.play(scene, replay.Plan(40, 8, 30.0, 0.5, 0.0))
        assert verdict.holds, verdict
        assert (figures.dead, figures.waiting_behind) == (40, 4)
        book = scene.agency(replay.SICK).receipts
        lines = book.read_bytes().splitlines()
        assert not any(json.loads(line)["sha256"] in scene.sent for line in lines)
        first, second = (scene.keys["chet-20"][n] for n in (0, 1))
        swap = {first: second, second: first}
        told = [json.loads(line) for line in (*lines[1:], lines[-1])]
        for line in told:
            line["sha256"] = swap.get(line["sha256"], line["sha256"])
        book.write_text("".join(json.dumps(line) + "\n" for line in told))
        seen = replay.judge(scene)
        assert (seen.missing, seen.doubled, seen.out_of_order) == (1, 1, 1), "it would see them"
    finally:
        scene.stage.close()


@pytest.mark.postgres
async def test_a_small_search(postgres_url: str, tmp_path: Path) -> None:
    await migrate(postgres_url)
    shape = Shape(2_000, instant.now())
    await fill(postgres_url.replace("+asyncpg", ""), shape, sessions=1)
    ledger = await Ledger.open(postgres_url, tmp_path)
    try:
        figures = await search.search(ledger, shape, rounds=2, operators=4)
        assert figures.keys() == search.ways(ledger, shape).keys()
        assert await search.quarter(ledger) > 0
    finally:
        await ledger.close()
    assert len(await insert(postgres_url, 1000.0, at_most=5)) == 5


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
