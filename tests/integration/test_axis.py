"""Two provinces' buses exchange documents and statuses through the simulated national axis."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import aiohttp

from adapters.vxp.sandbox import Axis, Province
from bus.app import ROLES, running
from bus.ledger.config_store import Change, Item, Kind, name_of
from bus.ledger.ledger import Ledger
from bus.ledger.migrate import migrate
from bus.settings import Settings
from schemas import instant
from schemas.province import Agency, Client, Endpoint
from tests.integration.gateway_harness import packet
from tests.proof.packets import status
from tests.waiting import wait_until

DOCUMENTS = int(os.environ.get("AXIS_DOCUMENTS", "60"))
SECRETS = {"00.38.W00": b"secret-of-home-aaaa", "00.99.W00": b"secret-of-away-bbbb"}
CODES = {"00.38.W00": ("H38.01", "H38.02"), "00.99.W00": ("H99.01", "H99.02")}
PROVINCES = [Province(system, SECRETS[system], CODES[system]) for system in SECRETS]


@dataclass
class Bus:
    url: str
    token: str
    database: Path
    http: aiohttp.ClientSession

    async def send(self, content: bytes) -> None:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/xml"}
        url = f"{self.url}/api/v1/documents"
        async with self.http.post(url, data=content, headers=headers) as answer:
            assert answer.status == 202, await answer.text()

    def rows(self, query: str) -> list[tuple[object, ...]]:
        with sqlite3.connect(self.database) as connection:
            return connection.execute(query).fetchall()


def _province(own: str, axis: str) -> list[tuple[Kind, Item]]:
    """The agencies of one system in a mailbox, all others over the axis."""
    config = {
        "url": axis,
        "systemid": own,
        "secret": "truc",
        "poll_seconds": 0.1,
        "connect_seconds": 5,
        "answer_seconds": 5,
    }
    items: list[tuple[Kind, Item]] = [
        ("endpoint", Endpoint(name="hop-thu", kind="mailbox")),
        ("endpoint", Endpoint(name="truc", kind="vxp", config=config)),
        ("client", Client(id="phan-mem", agencies=CODES[own], rate=1e5, burst=100_000)),
    ]
    for system, codes in CODES.items():
        endpoint = "hop-thu" if system == own else "truc"
        items += [("agency", Agency(code=c, name=f"Cơ quan {c}", endpoint=endpoint)) for c in codes]
    return items


@asynccontextmanager
async def bus(folder: Path, own: str, axis: str) -> AsyncIterator[Bus]:
    (folder / "secrets").mkdir(parents=True)
    (folder / "secrets" / "truc").write_bytes(SECRETS[own])
    settings = Settings(data_dir=folder, http_port=0, secrets_dir=folder / "secrets")
    await migrate(settings.database_url)
    ledger = await Ledger.open(settings.database_url, settings.blob_dir)
    changes = [Change(kind, name_of(item), None, item) for kind, item in _province(own, axis)]
    await ledger.config.apply(changes, expected=0, actor="test", reason="test")
    key = await ledger.identities.add_key("phan-mem", expires_at=None, clock=instant.now)
    await ledger.close()
    async with running(settings, ROLES) as url, aiohttp.ClientSession() as http:
        assert url is not None
        form = {
            "grant_type": "client_credentials",
            "client_id": "phan-mem",
            "client_secret": key,
        }
        async with http.post(f"{url}/api/v1/token", data=form) as answer:
            token = (await answer.json())["access_token"]
        yield Bus(url, token, folder / "ledger.db", http)


def _count(where: Bus, kind: str) -> int:
    return len(where.rows(f"SELECT id FROM message WHERE kind='{kind}'"))  # noqa: S608


async def test_documents_and_statuses_cross_the_axis_once(tmp_path: Path) -> None:
    """Half of the packets are on the axis twice, and the axis fails in between."""
    async with (
        Axis(PROVINCES, duplicates=0.5, knows_repeats=False) as axis,
        bus(tmp_path / "home", "00.38.W00", axis.url) as home,
        bus(tmp_path / "away", "00.99.W00", axis.url) as away,
    ):
        await axis.set_fault("500", probability=0.1)
        for number in range(DOCUMENTS):
            to = ("H38.02", "H99.01", "H99.02")
            await home.send(packet("H38.01", to, number))
        arrived = partial(_count, away, "document")
        await wait_until(lambda: arrived() == DOCUMENTS, 60, lambda: f"{arrived()} arrived")
        for number in range(DOCUMENTS):
            document = f"H38.01,2026/11/02,{number}/VP"
            content = status(
                sender="H99.01", receiver="H38.01", document_id=document, note=f"{number}"
            )
            await away.send(content)
        back = partial(_count, home, "status")
        await wait_until(lambda: back() == DOCUMENTS, 60, lambda: f"{back()} came back")
        states = axis.store.states()
        await wait_until(
            lambda: all(
                state == "done"
                for copies in axis.store.states().values()
                for state in copies.values()
            ),
            60,
            "every copy done",
        )
        assert len(states) > 2 * DOCUMENTS, "no duplicates were on the axis"
        assert arrived() == DOCUMENTS
        assert back() == DOCUMENTS
        inside = away.rows("SELECT endpoint, receivers FROM delivery WHERE endpoint='hop-thu'")
        assert len(inside) == 2 * DOCUMENTS
        documents = home.rows("SELECT document_id FROM message WHERE kind='status'")
        assert len(set(documents)) == DOCUMENTS
        onward = away.rows("SELECT d.id FROM delivery d WHERE d.endpoint='truc'")
        assert len(onward) == DOCUMENTS, "only the statuses go back to the axis"
        for each in (home, away):
            polled = each.rows("SELECT endpoint FROM poll WHERE good_at IS NOT NULL")
            assert polled == [("truc",)], "what lgsp health looks at"
