"""`python -m tests.proof.overload [--json FILE]`: ten times more than it can take, and one agency
that abuses it.

Finds the rate that the bus sustains (closed loop), offers ten times as much (open loop, many
clients), and lets one agency flood it within and beyond its rate limit, with small, large and
invalid packets. Exit status 0: at least 90 % of the sustained rate was accepted under overload,
every refusal was clean, nothing accepted was lost, memory stayed flat, and the neighbours' slowest
percent waited at most twice as long.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import uvloop

from deploy.services import PostgreSQL, RabbitMQ
from tests.proof.judge import MOST_GROWTH, TOLD
from tests.proof.nest import Nest
from tests.proof.packets import document
from tests.proof.points import BOTH, Backend
from tests.proof.prove import Services
from tests.proof.pump import Tally, Who, pump
from tests.proof.stand import AGENCIES, PORTAL, PORTAL_AGENCY, Stand
from tests.waiting import wait_until

LEAST_GOODPUT = 0.9  # of the sustained rate
MOST_SLOWER = 2.0  # neighbours' p99 beside an abuser, against without one
TIMES = 10
NEIGHBOURS = 5
ABUSER, ABUSER_AGENCY = "lam-dung", "H99.67"
SETTLE_SECONDS = 600.0
CONNECTIONS = 64  # in closed loop
MANY = 800  # and in open loop: more than a gateway has places


class CrowdedStand(Stand):
    """Systems without a limit of their own, and one with the limit of production."""

    def province(self) -> dict[str, Any]:
        province = super().province()
        generous = {"rate": 100_000, "burst": 100_000}
        province["clients"] += [
            {"id": f"pm-{n}", "agencies": list(AGENCIES.values()), **generous}
            for n in range(NEIGHBOURS)
        ]
        province["clients"].append({"id": ABUSER, "agencies": [ABUSER_AGENCY]})
        abuser = {"code": ABUSER_AGENCY, "name": "Cơ quan lạm dụng", "parent": "H99"}
        province["agencies"].append(abuser | {"endpoint": PORTAL})
        for endpoint in province["endpoints"]:
            endpoint["concurrency"] = 32
        return province


@dataclass
class Crowd:
    stand: CrowdedStand
    neighbours: list[Who]
    abuser: list[Who]  # at each door
    accepted: list[str] = field(default_factory=list)  # message ids that have to arrive

    def packet(self, number: int) -> bytes:
        """Two KB, from one neighbour's agency to another's."""
        codes = list(AGENCIES.values())
        sender, receiver = codes[number % 5], codes[(number + 1) % 5]
        return _packet(sender, receiver, number, 1_000)

    def abusive(self, number: int) -> bytes:
        return _packet(ABUSER_AGENCY, PORTAL_AGENCY, number, 1_000)

    def large(self, number: int) -> bytes:
        return _packet(ABUSER_AGENCY, PORTAL_AGENCY, number, 4_000_000)

    def invalid(self, number: int) -> bytes:
        return self.abusive(number)[:-50] + b"<" * 50

    def keep(self, *tallies: Tally) -> None:
        for tally in tallies:
            self.accepted += tally.accepted


def _packet(sender: str, receiver: str, number: int, size: int) -> bytes:
    return document(
        sender=sender,
        receivers=[receiver],
        document_id=f"{sender},2026/03/02,qua-tai-{number}",
        subject=f"Quá tải {number}",
        attachment="QUJD" * (size // 3),
    )


async def crowd(stand: CrowdedStand) -> Crowd:
    doors = [place.port for place in stand.places if place.role in {"serve", "gateway"}]
    tokens = [await _token(stand, doors[0], f"pm-{n}") for n in range(NEIGHBOURS)]
    neighbours = [Who(port, token) for token in tokens for port in doors]
    token = await _token(stand, doors[0], ABUSER)
    return Crowd(stand, neighbours, [Who(port, token) for port in doors])


async def _token(stand: Stand, port: int, client: str) -> str:
    form = {"grant_type": "client_credentials", "client_id": client}
    form["client_secret"] = await stand._key(client)

    async def given() -> str:
        async with (
            aiohttp.ClientSession() as http,
            http.post(f"http://127.0.0.1:{port}/api/v1/token", data=form) as answer,
        ):
            return str((await answer.json()).get("access_token", ""))

    return await wait_until(given, 60, "a token")


# --- what is done ---------------------------------------------------------------------------------


async def flood(crowd: Crowd, seconds: float, many: int) -> dict[str, Any]:
    """Ten times the sustained rate, from all neighbours."""
    who, packet = crowd.neighbours, crowd.packet
    warm = await pump(who, packet, min(2.0, seconds), connections=CONNECTIONS)
    before = await pump(who, packet, seconds, connections=CONNECTIONS)
    rate = TIMES * before.goodput
    over = await pump(who, packet, seconds, connections=many, rate=rate)
    after = await pump(who, packet, seconds, connections=CONNECTIONS)
    crowd.keep(warm, before, over, after)
    peak = max(before.goodput, after.goodput)  # the machine may be another one meanwhile
    return {
        "sustained": before.to_json(),
        "offered_per_second": round(rate),
        "overload": over.to_json(),
        "sustained_afterwards": after.to_json(),
        "goodput_share": round(over.goodput / peak, 2),
        "clean": not (over.unclean or over.broken) and over.statuses.keys() <= {202, 429, 503},
    }


async def abuse(crowd: Crowd, seconds: float, rate: float) -> dict[str, Any]:
    """Neighbours at `rate` documents a second all the time; the abuser in several ways."""
    ways = {
        "none": (crowd.abusive, 0.0, 0),
        "within its limit": (crowd.abusive, 90.0 * len(crowd.abuser), 16),
        "far beyond it": (crowd.abusive, 5_000.0, 100),
        "large": (crowd.large, 50.0, 50),
        "invalid": (crowd.invalid, 2_000.0, 100),
    }
    found: dict[str, Any] = {}
    for name, (body, abusive_rate, connections) in ways.items():
        neighbours = pump(
            crowd.neighbours, crowd.packet, seconds, connections=CONNECTIONS, rate=rate
        )
        abuser = pump(
            crowd.abuser, body, seconds, connections=connections, rate=abusive_rate or None
        )
        theirs, his = await asyncio.gather(neighbours, abuser)
        crowd.keep(theirs, his)
        found[name] = {
            "neighbours": theirs.to_json(),
            "abuser": his.to_json(),
            "clean": not (theirs.unclean or theirs.broken or his.unclean or his.broken)
            and theirs.statuses.keys() <= {202}
            and his.statuses.keys() <= {202, 400, 429, 503},
        }
    usual = found["none"]["neighbours"]["receipt_p99_ms"]
    for each in found.values():
        each["times_usual_p99"] = round(each["neighbours"]["receipt_p99_ms"] / usual, 2)
    return found


async def settle(crowd: Crowd) -> int:
    """Waits until all that was accepted has arrived; how many of it did not."""

    def left() -> int:
        arrived = {
            effect["message_id"]
            for book in crowd.stand.books.values()
            for effect in book.refresh().effects
        }
        return len(set(crowd.accepted) - arrived)

    try:
        await wait_until(lambda: not left(), SETTLE_SECONDS)
    except AssertionError:
        return left()
    return 0


def swollen(stand: Stand) -> list[str]:
    """Processes that grew by more than packets passing them may cost."""
    stand.weigh()
    lines = map(json.loads, (stand.histories / TOLD).read_text().splitlines())
    grown = {x["process"]: x["peak"] - x["ready"] for x in lines if x["what"] == "memory"}
    return [f"{name}: {size // 2**20} MiB" for name, size in grown.items() if size > MOST_GROWTH]


async def overload(
    folder: Path,
    nest: Nest,
    backend: Backend,
    services: Services,
    *,
    seconds: float,
    many: int = MANY,
    rate: float | None = None,
    settings: dict[str, str] | None = None,
) -> dict[str, Any]:
    """`rate` of the neighbours beside the abuser; otherwise a quarter of what is sustained."""
    extra = settings or {}
    given = (services.rabbitmq, services.postgres, services.database_url)
    async with CrowdedStand(folder, nest, backend, *given, extra=extra) as stand:
        people = await crowd(stand)
        flooded = await flood(people, seconds, many)
        lost = await settle(people)  # the abuse is to meet a bus that has nothing else to do
        quarter = flooded["sustained"]["accepted_per_second"] / 4
        abused = await abuse(people, seconds, rate or quarter)
        lost += await settle(people)
        return {
            "flood": flooded,
            "abuse": abused,
            "accepted": len(people.accepted),
            "lost": lost,
            "swollen": swollen(stand),
        }


def good(found: dict[str, Any]) -> bool:
    """Refusals, durability and memory; how fast it is depends on the machine as well."""
    abused = found["abuse"].values()
    clean = found["flood"]["clean"] and all(each["clean"] for each in abused)
    return bool(clean and not found["lost"] and not found["swollen"])


def quick(found: dict[str, Any]) -> bool:
    slower = max(each["times_usual_p99"] for each in found["abuse"].values())
    return bool(found["flood"]["goodput_share"] >= LEAST_GOODPUT and slower <= MOST_SLOWER)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.proof.overload")
    parser.add_argument("--seconds", type=float, default=15, help="of each scene")
    parser.add_argument("--backend", choices=BOTH, default=BOTH[1])
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--keep", type=Path, help="folder for logs; stays there")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = options.keep
        if folder is None:
            folder = Path(tempfile.mkdtemp(prefix="lgsp-overload-"))
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)  # user postgres enters it
        services = Services()
        if options.backend == BOTH[1]:
            broker, database = RabbitMQ(folder / "rabbitmq"), PostgreSQL(folder / "postgres")
            for service in (broker, database):
                stack.callback(service.stop)
                service.start()
            services = Services(broker, database, database.create_database("proof"))
        nest = stack.enter_context(Nest(folder / "nest.log"))
        load = os.getloadavg()[0]
        found = uvloop.run(
            overload(folder / "stand", nest, options.backend, services, seconds=options.seconds)
        )
    report = {
        "command": " ".join(("python -m tests.proof.overload", *sys.argv[1:])),
        "backend": options.backend,
        "good": good(found) and quick(found),
        "load": [round(load, 1), round(os.getloadavg()[2], 1)],  # at first; last 15 minutes
        **found,
    }
    text = json.dumps(report, indent=1, ensure_ascii=False)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")
    return 0 if report["good"] else 1


if __name__ == "__main__":
    sys.exit(main())
