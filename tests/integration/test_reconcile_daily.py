"""Reconciliation by the command and by the running bus: the same work, its reports, its exit
statuses; one live worker does it, once a day.
"""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from adapters import registry
from adapters.dvcqg.sandbox import DSTCODE, Account, Portal
from adapters.http import open_session
from bus.app import ROLES, adapter_maker, running
from bus.engine.accept import Acceptor
from bus.engine.accept_dossier import Source, accept_record, accept_step
from bus.engine.endpoint_states import EndpointStates
from bus.engine.live import LiveConfig
from bus.engine.membership import Membership
from bus.engine.reconcile_daily import Reconciler
from bus.engine.reconcile_report import Kept
from bus.ledger.ledger import Ledger
from bus.settings import Settings
from tests.integration.cli_harness import Cli, Done
from tests.integration.dossier_harness import BUILD, record, step
from tests.waiting import wait_until

USER, PASSWORD = "000.00.00.H99", "mat-khau-cua-tinh"
CODES = [f"H99.02-261102-{number:04d}" for number in range(4)]


@pytest.fixture
async def portal() -> AsyncIterator[Portal]:
    account = Account(USER, PASSWORD.encode(), USER)
    async with Portal([account], lookup_shows_steps=True) as running_portal:
        yield running_portal


def declared(portal: Portal, hours: float = 24.0) -> str:
    config: dict[str, Any] = {
        "url": portal.service_url,
        "login_url": portal.login_url,
        "username": USER,
        "password": "cong",
        "madonvi": USER,
        "dstcode": DSTCODE,
        "lookup_shows_steps": True,
        "lookups_per_second": 500,
        "reconcile_hours": hours,
        "reconcile_days": 3660,
    }
    province = {
        "endpoints": [{"name": "cong", "kind": "dvcqg", "config": config}],
        "agencies": [
            {"code": "000.00.00.G22", "name": "Cổng DVCQG", "endpoint": "cong"},
            {"code": "H99.02", "name": "Sở Xây dựng"},
        ],
        "mappings": [{"table": "procedure", "local": "TT.01", "national": "1.000656"}],
    }
    return yaml.safe_dump(province, allow_unicode=True)


class Place:
    """A ledger with dossiers that no portal was told of."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cli = Cli(f"sqlite+aiosqlite:///{folder}/ledger.db", folder)
        (folder / "secrets").mkdir()
        (folder / "secrets" / "cong").write_text(PASSWORD)

    async def run(self, *arguments: str, code: int = 0) -> Done:
        env = {"LGSP_SECRETS_DIR": str(self.folder / "secrets")}
        return await asyncio.to_thread(partial(self.cli, *arguments, code=code, env=env))

    async def fill(self, portal: Portal, hours: float = 24.0) -> None:
        (self.cli.declared / "all.yaml").write_text(declared(portal, hours))
        await asyncio.to_thread(self.cli.set_up)
        ledger = await Ledger.open(self.cli.database_url, self.folder / "blobs")
        await self._accept(ledger)
        await ledger.close()
        subscription = {"name": "cong", "receivers": ["000.00.00.G22"]}
        late = yaml.safe_dump({"subscriptions": [subscription]})
        (self.cli.declared / "late.yaml").write_text(late)
        await self.run("apply", "-f", str(self.cli.declared), "--reason", "đăng ký", "--yes")

    async def _accept(self, ledger: Ledger) -> None:
        live = LiveConfig(ledger.config)
        await live.start()
        manifests = {kind: each.manifest for kind, each in registry.adapters().items()}
        acceptor = Acceptor(
            ledger, live, manifests, max_bytes=100_000, max_files=1, inline_bytes=4_000
        )
        source = Source("mot-cua", b"{}", "application/json", "")
        for code in CODES:
            await accept_record(acceptor, record(code), source, None)
            await accept_step(acceptor, step(code, 1), BUILD, source)
        await live.close()

    def settings(self) -> Settings:
        return Settings(
            data_dir=self.folder,
            database_url=self.cli.database_url,
            secrets_dir=self.folder / "secrets",
            http_port=0,
        )


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@asynccontextmanager
async def bus(place: Place, count: int = 1) -> AsyncIterator[None]:
    """So many buses on one ledger."""
    async with AsyncExitStack() as stack:
        for _ in range(count):
            await stack.enter_async_context(running(place.settings(), ROLES))
        yield


def at_portal(portal: Portal) -> bool:
    return all(len(portal.store.timeline(code)) == 1 for code in CODES)


async def test_the_command_looks_heals_and_reports(place: Place, portal: Portal) -> None:
    await place.fill(portal)
    looked = await place.run("dossier", "reconcile", "--dry-run", "--json", code=1)
    (report,) = orjson.loads(looked.out)["items"]
    assert (report["endpoint"], report["compared"], report["healed"]) == ("cong", 4, 0)
    assert [each["code"] for each in report["discrepancies"]] == CODES
    assert {each["fault"] for each in report["discrepancies"]} == {"missing"}
    table = place.folder / "doi-soat.csv"
    said = await place.run("dossier", "reconcile", "cong", "--output", str(table))
    assert "4 discrepancies, 4 healed" in said.out
    rows = list(csv.DictReader(io.StringIO(table.read_text("utf-8-sig"))))
    assert [(row["code"], row["done"]) for row in rows] == [(code, "sent") for code in CODES]
    again = await place.run("dossier", "reconcile")
    assert "4 on their way" in again.out, "sent by the bus, which does not run yet"
    async with bus(place):
        await wait_until(lambda: at_portal(portal), 30, "everything at the portal")


async def test_the_command_says_what_it_cannot_do(place: Place, portal: Portal) -> None:
    await place.fill(portal)
    await place.run("dossier", "reconcile", "khong-co", code=4)
    (place.cli.declared / "late.yaml").unlink()
    (place.cli.declared / "all.yaml").write_text(
        "endpoints:\n- {name: hop-thu, kind: mailbox}\nagencies:\n"
        "- {code: H99.02, name: Sở Xây dựng, endpoint: hop-thu}\n"
    )
    province = str(place.cli.declared)
    await place.run("apply", "-f", province, "--reason", "thử", "--yes")
    said = await place.run("dossier", "reconcile", "hop-thu", code=1)
    assert "neither list nor look up" in said.err
    nothing = await place.run("dossier", "reconcile")
    assert "No discrepancies" in nothing.out


async def test_one_of_the_live_workers_does_it_and_not_again_before_its_time(
    place: Place, portal: Portal
) -> None:
    await place.fill(portal)
    kept = Kept(place.settings().reconciliation_dir)
    async with bus(place, 2):
        await wait_until(lambda: kept.finished_at("cong"), 30, "the first reconciliation")
        await wait_until(lambda: at_portal(portal), 30, "everything at the portal")
        report = orjson.loads((place.settings().reconciliation_dir / "cong.json").read_bytes())
        assert (report["compared"], report["healed"]) == (4, 4)
    asked = portal.calls["TraCuuHoSo"]
    ledger = await Ledger.open(place.cli.database_url, place.folder / "blobs")
    rows = await ledger.queries.journal()
    assert [row.event for row in rows].count("reconciled") == 1
    left = await _turn(place, ledger)  # of another process, within the day
    assert 86_000 < left <= 86_400
    assert portal.calls["TraCuuHoSo"] == asked
    await ledger.close()


async def _turn(place: Place, ledger: Ledger) -> float:
    """Seconds until a worker that is started now would reconcile the portal."""
    live = LiveConfig(ledger.config)
    await live.start()
    async with open_session() as http:
        reconciler = Reconciler(
            ledger,
            live,
            EndpointStates(ledger, live),
            Membership(ledger, {"worker"}),
            create=adapter_maker(place.settings(), http),
            manifests={},
            folder=place.settings().reconciliation_dir,
        )
        left = await reconciler._turn(live.snapshot.endpoints["cong"])
    await live.close()
    return left


async def test_it_comes_round_by_itself(place: Place, portal: Portal) -> None:
    await place.fill(portal, hours=0.0003)  # about a second
    kept = Kept(place.settings().reconciliation_dir)
    async with bus(place):
        await wait_until(lambda: at_portal(portal), 30, "everything at the portal")
        portal.store._db.execute("DELETE FROM line WHERE code=?", (CODES[0],))
        await wait_until(lambda: at_portal(portal), 30, "healed the next time")
        last = kept.finished_at("cong")
        await wait_until(lambda: kept.finished_at("cong") > last, 30, "and once more")
    assert [len(portal.store.timeline(code)) for code in CODES] == [1] * 4
    assert all(inserts == 1 for _, _, inserts, _ in portal.store.dossiers())
