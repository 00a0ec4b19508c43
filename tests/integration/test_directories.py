"""The axis's agency directory becomes configuration: read over HTTP from the simulated axis."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing, asynccontextmanager
from functools import partial
from pathlib import Path

import orjson
import pytest

from adapters.http import open_session
from adapters.registry import create
from adapters.vxp.sandbox import Axis, Province
from bus.app import ROLES, running
from bus.engine.directories import Difference, apply, compare
from bus.ledger.config_store import Change, Kind, name_of
from bus.ledger.ledger import Ledger
from bus.ledger.migrate import migrate
from bus.ops import province_files
from bus.ops.province_diff import diff
from bus.settings import Settings
from routing.imports import Gathering
from schemas.adapter import DirectorySource, ListedAgency
from schemas.errors import DirectoryShrunk, PartnerError, PartnerRefused
from schemas.province import Agency, Alias, Endpoint
from tests.integration.cli_harness import Cli, Done
from tests.waiting import wait_until

SECRET = b"secret-of-home-aaaa"
HOME = Province("00.38.W00", SECRET, ("H38.01",))
AWAY = Province("00.99.W00", b"secret-of-away-bbbb", ("H99.01", "H99.02", "H99.03", "H99.04"))


class Bus:
    """A ledger, and the adapter of its axis."""

    def __init__(self, axis: Axis, ledger: Ledger, source: DirectorySource) -> None:
        self.axis = axis
        self.ledger = ledger
        self.source = source

    async def read(self, *, force: bool = False) -> Difference:
        agencies = (await self.ledger.config.province()).agencies
        return await compare(self.source, "truc", agencies, force=force)

    async def sync(self, *, force: bool = False) -> Difference:
        expected = await self.ledger.config.revision()
        found = await self.read(force=force)
        await apply(self.ledger, "truc", found, expected=expected, actor="test")
        return found

    async def imported(self) -> dict[str, Agency]:
        agencies = (await self.ledger.config.province()).agencies
        return {agency.code: agency for agency in agencies if agency.source == "truc"}


def endpoint(axis: Axis) -> Endpoint:
    config = {"url": axis.url, "systemid": HOME.systemid, "secret": "truc", "poll_seconds": 60}
    return Endpoint(name="truc", kind="vxp", config=config)


async def declare(ledger: Ledger, axis: Axis) -> None:
    items: list[tuple[Kind, Endpoint | Agency]] = [
        ("endpoint", endpoint(axis)),
        ("endpoint", Endpoint(name="hop-thu", kind="mailbox")),
        ("agency", Agency(code="H38.01", name="Văn phòng", endpoint="hop-thu")),
        ("agency", Agency(code="H99.01", name="Khai báo tay", endpoint="truc")),
    ]
    changes = [Change(kind, name_of(item), None, item) for kind, item in items]
    await ledger.config.apply(changes, expected=0, actor="test", reason="test")


@asynccontextmanager
async def opened(folder: Path, *, agencies: int = 0) -> AsyncIterator[Bus]:
    settings = Settings(data_dir=folder)
    await migrate(settings.database_url)
    ledger = await Ledger.open(settings.database_url, settings.blob_dir)
    async with Axis([HOME, AWAY], agencies=agencies) as axis, open_session() as http:
        await declare(ledger, axis)
        config = endpoint(axis).config
        source = create("vxp", config, http=http, secrets={"truc": SECRET}.__getitem__)
        assert isinstance(source, DirectorySource)
        yield Bus(axis, ledger, source)
    await ledger.close()


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[Bus]:
    async with opened(tmp_path) as made:
        yield made


async def test_the_first_reading_imports_what_others_serve(bus: Bus) -> None:
    await bus.sync()
    imported = await bus.imported()
    assert sorted(imported) == ["H99.02", "H99.03", "H99.04"]
    assert {agency.endpoint for agency in imported.values()} == {"truc"}
    province = await bus.ledger.config.province()
    mine = {agency.code: agency.name for agency in province.agencies if agency.source is None}
    assert mine == {"H38.01": "Văn phòng", "H99.01": "Khai báo tay"}


async def test_an_unchanged_directory_writes_nothing(bus: Bus) -> None:
    await bus.sync()
    revision = await bus.ledger.config.revision()
    assert (await bus.sync()).changes == ()
    assert await bus.ledger.config.revision() == revision


async def test_added_renamed_and_removed_is_followed_in_one_revision(bus: Bus) -> None:
    await bus.sync()
    revision = await bus.ledger.config.revision()
    bus.axis.store.register("H99.05", AWAY.systemid, "Sở mới")
    bus.axis.store.register("H99.02", AWAY.systemid, "Tên mới")
    bus.axis.store.remove("H99.03", AWAY.systemid)
    found = await bus.sync()
    assert [(c.action, c.name) for c in found.changes] == [
        ("changed", "H99.02"),
        ("removed", "H99.03"),
        ("added", "H99.05"),
    ]
    assert await bus.ledger.config.revision() == revision + 1
    assert (await bus.imported())["H99.02"].name == "Tên mới"


async def test_a_directory_that_shrinks_is_refused_unless_forced(bus: Bus) -> None:
    await bus.sync()
    for code in AWAY.codes:
        bus.axis.store.remove(code, AWAY.systemid)
    with pytest.raises(DirectoryShrunk, match="lists 0 agencies, 3 are in force"):
        await bus.sync()
    assert len(await bus.imported()) == 3
    await bus.sync(force=True)
    assert await bus.imported() == {}


@pytest.mark.parametrize("fault", ["half", "cut", "500", "503", "garbage"])
async def test_an_axis_that_breaks_off_changes_nothing(tmp_path: Path, fault: str) -> None:
    async with opened(tmp_path, agencies=3_000) as bus:
        await bus.sync()
        before = await bus.ledger.config.revision()
        await bus.axis.set_fault(fault)
        with pytest.raises(PartnerError):
            await bus.sync(force=True)
        assert await bus.ledger.config.revision() == before


async def test_registered_agencies_are_listed_until_they_are_removed(bus: Bus) -> None:
    await bus.source.register("H38.02", "Sở Y tế")
    await bus.source.register("H38.02", "Sở Y tế")
    assert bus.axis.store.owner("H38.02") == HOME.systemid
    async with aclosing(bus.source.agencies()) as rows:
        assert "H38.02" not in [row.code async for row in rows], "we serve it ourselves"
    await bus.source.remove("H38.02")
    assert bus.axis.store.owner("H38.02") is None
    with pytest.raises(PartnerRefused):
        await bus.source.register("H99.02", "của tỉnh khác")


async def test_files_know_nothing_of_imported_agencies_and_leave_them(bus: Bus) -> None:
    await bus.sync()
    current = await bus.ledger.config.province()
    assert "H99.02" not in "".join(province_files.export(current).values())
    declared = tuple(agency for agency in current.agencies if agency.source is None)
    wanted = current.model_copy(update={"agencies": declared})
    assert diff(current, wanted, check_endpoint=lambda _each: []).changes == ()
    taken = Agency(code="H99.09", name="Nay của ta", aliases=(Alias(code="H99.02"),))
    wanted = current.model_copy(update={"agencies": (*declared, taken)})
    changes = diff(current, wanted, check_endpoint=lambda _each: []).changes
    assert [(c.action, c.name) for c in changes] == [("removed", "H99.02"), ("added", "H99.09")]
    await bus.ledger.config.apply(changes, expected=2, actor="test", reason="test")
    assert "H99.02" not in {change.name for change in (await bus.sync()).changes}


async def test_it_runs_by_itself_and_again_after_a_restart(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "truc").write_bytes(SECRET)
    settings = Settings(data_dir=tmp_path, http_port=0, secrets_dir=tmp_path / "secrets")
    async with opened(tmp_path) as bus:
        for reading in (1, 2):
            async with running(settings, ROLES):
                await wait_until(
                    lambda n=reading: _readings(tmp_path) == n,  # type: ignore[misc]
                    30,
                    "the directory is read",
                )
        assert sorted(await bus.imported()) == ["H99.02", "H99.03", "H99.04"]
        assert await bus.ledger.config.revision() == 2, "the second reading wrote nothing"


def _readings(folder: Path) -> int:
    with sqlite3.connect(folder / "ledger.db") as connection:
        query = "SELECT COUNT(*) FROM journal WHERE event='directory-read'"
        return int(connection.execute(query).fetchone()[0])


def gathered(rows: Iterable[ListedAgency]) -> dict[str, list[str]]:
    gathering = Gathering()
    for row in rows:
        gathering.add(row)
    agencies = gathering.agencies("truc", {})
    return {agency.code: [alias.code for alias in agency.aliases] for agency in agencies}


def test_a_unit_listed_under_both_codes_is_one_agency() -> None:
    rows = [
        ListedAgency("000.00.01.H99", "Sở A (cũ)"),
        ListedAgency("H99.01", "Sở A", ("000.00.01.H99",)),
        ListedAgency("H99.01.01", "Sở A, sau nữa", ("H99.01",)),
    ]
    assert gathered(rows) == {"H99.01.01": ["000.00.01.H99", "H99.01"]}


def test_a_code_that_two_claim_is_the_alias_of_neither() -> None:
    rows = [ListedAgency("H99.01", "A", ("H99.09",)), ListedAgency("H99.02", "B", ("H99.09",))]
    assert gathered(rows) == {"H99.01": [], "H99.02": []}


def test_codes_in_a_circle_are_one_agency() -> None:
    rows = [ListedAgency("H99.01", "A", ("H99.02",)), ListedAgency("H99.02", "B", ("H99.01",))]
    assert gathered(rows) == {"H99.01": ["H99.02"]}


@pytest.mark.timeout(300)  # eight processes, one after the other
async def test_the_command_shows_then_applies_then_registers(cli: Cli) -> None:
    """`sync --dry-run` writes nothing; `sync` is followed by `agencies`; ours are registered."""
    (cli.folder / "secrets").mkdir()
    (cli.folder / "secrets" / "truc").write_bytes(SECRET)
    env = {"LGSP_SECRETS_DIR": str(cli.folder / "secrets")}
    async with Axis([HOME, AWAY]) as axis:
        truc = endpoint(axis).model_dump(mode="json", exclude_defaults=True)
        (cli.declared / "truc.yaml").write_text(orjson.dumps({"endpoints": [truc]}).decode())
        await asyncio.to_thread(cli.set_up)

        async def lgsp(*arguments: str, code: int = 0) -> Done:
            return await asyncio.to_thread(partial(cli, *arguments, code=code, env=env))

        shown = await lgsp("axis", "sync", "truc", "--dry-run")
        assert "+ H99.02" in shown.out
        done = await lgsp("axis", "sync", "truc")
        assert "+ H99.02" in done.out, "the dry run had written nothing"
        assert "H99.02" in (await lgsp("axis", "agencies", "truc", "co quan")).out
        assert "0 to remove" in (await lgsp("plan", "-f", "province")).out
        await lgsp("axis", "register", "H38.02", "--endpoint", "truc")
        assert axis.store.owner("H38.02") == HOME.systemid
        await lgsp("axis", "register", "H99.02", "--endpoint", "truc", code=4)
        await lgsp("axis", "remove", "H38.02", "--endpoint", "truc", "--yes")
        assert axis.store.owner("H38.02") is None
        await axis.set_fault("503")
        assert "503" in (await lgsp("axis", "sync", "truc", code=1)).err


@pytest.fixture
def cli(sqlite_url: str, tmp_path: Path) -> Cli:
    return Cli(sqlite_url, tmp_path)
