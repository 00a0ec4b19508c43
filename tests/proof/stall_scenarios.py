"""What made other buses stand still until somebody restarted them, done to this one.

Each scenario returns the seconds from the end of its cause until everything had arrived, nobody
helping. `like` names reports of other projects in which the same did need somebody (GitHub, as
repository#number). Those that break what all share are `alone`; the others run side by side.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from adapters.vxp.hub_store import NewPacket
from bus.broker.topology import Topology
from schemas.message import Lane
from tests.proof.breaking import end_sessions
from tests.proof.stall_bench import CHOOSY, DEADLINE, EAGER, Bench, resumed_after
from tests.proof.stand import AGENCIES, REMOTE, SYSTEMS, THEIRS, Place
from tests.waiting import wait_until

MIB = 1024 * 1024
MOST_GROWTH = 48 * MIB  # of a process, by one message that fails again and again
TRIES = 30  # more than the delivery limit of the queues, 20
DISTINCT = 6  # documents at once: enough for a breaker to open
POISON = "DOC-THUOC"

Run = Callable[[Bench], Awaitable[float]]


@dataclass(frozen=True)
class Scenario:
    name: str
    like: str
    run: Run
    alone: bool = False


# --- partners -------------------------------------------------------------------------------------


def _partner(system: str, mode: str) -> Run:
    async def run(bench: Bench) -> float:
        """Enough fails at once for the breaker to open."""
        line = bench.line(system)

        async def begin() -> None:
            details = {"seconds": bench.seconds} if mode == "refuse" else {}
            await bench.stand.fault(system, mode, **details)
            await line.tell_many(DISTINCT, at_once=DISTINCT)

        async def end() -> None:
            if mode != "refuse":
                await bench.stand.fault(system, "ok")

        return await resumed_after(line, begin, end)

    return run


async def _one_in_a_thousand(bench: Bench) -> float:
    """All others pass it while it fails; what is behind it in its key does not."""
    picky, line, poison = bench.picky[CHOOSY], bench.line(CHOOSY), bench.line(CHOOSY)
    before = picky.refused
    picky.poison = POISON
    await poison.tell(word=POISON, key=f"khoa-{poison.number}")
    await wait_until(lambda: picky.refused > before, DEADLINE, "the poison to be refused")
    await poison.tell(word=POISON, key=f"khoa-{poison.number}")
    await line.tell_many(bench.many)
    await line.arrived()
    assert poison.missing(), "the poison and what is behind it are still there"
    picky.poison = None
    healed = time.time()
    await line.tell()
    await line.arrived()
    return max(0.0, await poison.arrived() - healed)


async def _again_and_again(bench: Bench) -> float:
    """Refused oftener than any limit of the broker's: it is neither dropped nor piled up."""
    picky, poison = bench.picky[EAGER], bench.line(EAGER)
    grown = _Memory(bench)
    before = picky.refused
    picky.poison = POISON
    await poison.tell(word=POISON)
    await wait_until(lambda: picky.refused >= before + TRIES, DEADLINE, "many tries")
    grown.judge()
    picky.poison = None
    healed = time.time()
    return max(0.0, await poison.arrived() - healed)


# --- packets --------------------------------------------------------------------------------------

INVALID = (
    b"",
    b"<edXML",
    b"<edXML></edXML>",
    b"\x00\xff\xfe not XML",
    b'<?xml version="1.0"?><!DOCTYPE e [<!ENTITY a "aaaa">]><edXML>&a;</edXML>',
    b"<edXML>" + b"<a>" * 5_000,
    b"<edXML " + b"".join(b'a%d="" ' % number for number in range(5_000)) + b"/>",
)


async def _invalid_at_the_door(bench: Bench) -> float:
    line = bench.line(SYSTEMS[4])
    grown = _Memory(bench)
    for packet in INVALID * 5:
        status, body = await bench.stand.sender.post(packet)
        assert 400 <= status < 500, (status, body)
    refused = time.time()
    await line.tell()
    await line.tell_many(DISTINCT)
    arrived = await line.arrived()
    grown.judge()
    return max(0.0, arrived - refused)


async def _invalid_at_the_axis(bench: Bench) -> float:
    """Fetched, refused for good and kept as evidence; the next ones are fetched all the same."""
    stand, system = bench.stand, SYSTEMS[0]  # where `put` sends every third
    for packet in INVALID[1:]:
        name = f"hong-{random.getrandbits(64):x}"
        stand.axis.store.add(
            NewPacket(
                *(name, THEIRS, "edoc", REMOTE, name, "Gói tin hỏng", "1/BC"),
                *("2026/03/02 08:00:00", packet),
            ),
            [(AGENCIES[system], "00.99.W00")],
        )
    put = time.time()
    expected = {stand.put().sha256 for _ in range(3)}

    def there() -> dict[str, float]:
        effects = [
            effect
            for name in SYSTEMS[:3]
            for effect in stand.books[name].refresh().effects
            if effect["sha256"] in expected
        ]
        return {effect["sha256"]: effect["at"] for effect in effects}

    await wait_until(lambda: there().keys() == expected, DEADLINE, "packets after the invalid ones")
    return max(0.0, max(there().values()) - put)


async def _foreign_work(bench: Bench) -> float:
    """In the queues of a receiver: what is no work, work of deliveries that do not exist."""
    system = SYSTEMS[5]
    line = bench.line(system)
    topology = Topology(bench.stand.env["LGSP_BROKER_PREFIX"])
    names = [topology.queue(system, lane).name for lane in Lane]
    bodies = (
        *(b"", b"not JSON", b"[]", b'{"endpoint": 1}'),
        b'{"endpoint": "%s", "lane": "normal", "ids": [-1, 0, 999999999999]}' % system.encode(),
        b'{"endpoint": "%s", "lane": "normal", "ids": [%d]}' % (system.encode(), 2**63),
        b'{"endpoint": "%s", "lane": "normal", "ids": [1e3]}' % system.encode(),
    )
    await line.tell()
    await line.arrived()
    async with bench.channel() as channel:
        for name in names:
            for body in bodies * 3:
                await channel.basic_publish(body, routing_key=name)
    published = time.time()
    await line.tell_many(DISTINCT)
    arrived = await line.arrived()

    async def drained() -> bool:
        """Neither waiting nor in anybody's hand, where it would come back for ever."""
        listed = await asyncio.to_thread(
            bench.broker.ctl, "list_queues", "name", "messages", "--silent"
        )
        left = dict(line.split() for line in listed.splitlines())
        return all(left[name] == "0" for name in (*names, topology.unrouted_queue.name))

    _: bool = await wait_until(drained, DEADLINE, "nothing to be requeued for ever")
    return max(0.0, arrived - published)


class _Memory:
    """What processes of the bus have in hand must not grow with what fails."""

    def __init__(self, bench: Bench) -> None:
        self._places = bench.stand.places
        self._before = {place.name: _resident(place) for place in self._places}

    def judge(self) -> None:
        for place in self._places:
            grown = _resident(place) - self._before[place.name]
            assert grown < MOST_GROWTH, f"{place.name} grew by {grown / MIB:.0f} MiB"


def _resident(place: Place) -> int:
    """Bytes."""
    assert place.bird is not None
    lines = Path(f"/proc/{place.bird.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


# --- broker, database, processes ------------------------------------------------------------------


def _shared(
    begin: Callable[[Bench], Awaitable[object]], end: Callable[[Bench], Awaitable[object]]
) -> Run:
    async def run(bench: Bench) -> float:
        line = bench.line(*SYSTEMS)
        return await resumed_after(line, partial(begin, bench), partial(end, bench))

    return run


def _blocking(act: Callable[[Bench], object]) -> Callable[[Bench], Awaitable[object]]:
    async def done(bench: Bench) -> None:
        await asyncio.to_thread(act, bench)

    return done


async def _nothing(_bench: Bench) -> None:
    """The cause ended when it began."""


async def _open(bench: Bench) -> None:
    await bench.stand.wire.set("open")
    await bench.database_wire.set("open")


async def _forget_broker(bench: Bench) -> None:
    bench.stand.wire.forget()


async def _forget_database(bench: Bench) -> None:
    bench.database_wire.forget()


async def _terminate(bench: Bench) -> None:
    await end_sessions(bench.stand)


def _without_half(end: Callable[[Bench], Awaitable[object]]) -> Run:
    """One process of each role goes and stays away until all has arrived."""

    async def run(bench: Bench) -> float:
        line = bench.line(*SYSTEMS)
        try:
            return await resumed_after(line, partial(_nothing, bench), partial(end, bench))
        finally:
            await bench.stand.revive(*bench.one_of_each())

    return run


async def _stop_half(bench: Bench) -> None:
    birds = [place.bird for place in bench.one_of_each() if place.bird is not None]
    await asyncio.gather(*(asyncio.to_thread(bird.stop) for bird in birds))


async def _kill_half(bench: Bench) -> None:
    await bench.stand.kill(*bench.one_of_each())


def _alarm(value: str) -> Callable[[Bench], Awaitable[object]]:
    """RabbitMQ takes nothing from publishers while it has less memory than its high watermark."""
    return _blocking(lambda bench: bench.broker.ctl("set_vm_memory_high_watermark", value))


def _wire(mode: str, *, of: str) -> Callable[[Bench], Awaitable[object]]:
    async def set_mode(bench: Bench) -> None:
        wire = bench.stand.wire if of == "broker" else bench.database_wire
        await wire.set(mode)  # type: ignore[arg-type]

    return set_mode


SCENARIOS = (
    Scenario("partner answers errors", "wso2/micro-integrator#3771", _partner(SYSTEMS[0], "500")),
    Scenario("partner hangs", "wso2/micro-integrator#3771", _partner(SYSTEMS[1], "hang")),
    Scenario(
        "partner refuses connections", "wso2/micro-integrator#3771", _partner(SYSTEMS[2], "refuse")
    ),
    Scenario("one poison in many", "rabbitmq/rabbitmq-website#2207", _one_in_a_thousand),
    Scenario(
        "poison again and again", "wso2/product-ei#4835, celery/celery#9867", _again_and_again
    ),
    Scenario("invalid XML at the door", "wso2/micro-integrator#4233", _invalid_at_the_door),
    Scenario("invalid XML at the axis", "wso2/micro-integrator#4233", _invalid_at_the_axis),
    Scenario("work nobody can do", "redpanda-data/connect#846", _foreign_work),
    Scenario(
        "RabbitMQ killed",
        "wso2/api-manager#2935",
        _shared(_blocking(lambda b: b.broker.kill()), _blocking(lambda b: b.broker.start())),
        alone=True,
    ),
    Scenario(
        "RabbitMQ frozen",
        "wso2/api-manager#2935",
        _shared(_blocking(lambda b: b.broker.pause()), _blocking(lambda b: b.broker.resume())),
        alone=True,
    ),
    Scenario(
        "RabbitMQ's connections dead",
        "wso2/micro-integrator#4614, wso2/api-manager#4676",
        _shared(_nothing, _forget_broker),
        alone=True,
    ),
    Scenario(
        "RabbitMQ cut off",
        "wso2/product-ei#4933",
        _shared(_wire("cut", of="broker"), _open),
        alone=True,
    ),
    Scenario(
        "RabbitMQ silent",
        "wso2/product-ei#4933",
        _shared(_wire("silent", of="broker"), _open),
        alone=True,
    ),
    Scenario(
        "RabbitMQ slow",
        "redpanda-data/connect#1299",
        _shared(_wire("slow", of="broker"), _open),
        alone=True,
    ),
    Scenario(
        "RabbitMQ short of memory",
        "redpanda-data/connect#1299",
        _shared(_alarm("0"), _alarm("0.4")),
        alone=True,
    ),
    Scenario(
        "PostgreSQL restarted",
        "",
        _shared(_nothing, _blocking(lambda b: b.database.restart())),
        alone=True,
    ),
    Scenario(
        "PostgreSQL frozen",
        "",
        _shared(_blocking(lambda b: b.database.pause()), _blocking(lambda b: b.database.resume())),
        alone=True,
    ),
    Scenario("PostgreSQL's sessions ended", "", _shared(_nothing, _terminate), alone=True),
    Scenario("PostgreSQL's connections dead", "", _shared(_nothing, _forget_database), alone=True),
    Scenario("PostgreSQL cut off", "", _shared(_wire("cut", of="database"), _open), alone=True),
    Scenario(
        "one of two processes stopped",
        "wso2/micro-integrator#1738",
        _without_half(_stop_half),
        alone=True,
    ),
    Scenario(
        "one of two processes killed",
        "wso2/micro-integrator#1738",
        _without_half(_kill_half),
        alone=True,
    ),
)
