"""Reconciliation against the real sandboxes: every injected discrepancy is found, no other is, and
what may be healed is healed without anything doubled.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from adapters import registry
from adapters.dvcqg.sandbox import DSTCODE, Account, Portal
from adapters.http import open_session
from adapters.onestop.sandbox import OneStopSandbox
from adapters.onestop.stories import Change
from bus.engine.reconcile import Desk, Report, Scope, with_portal, with_source
from bus.ledger.config_store import Item, Kind
from schemas.adapter import Adapter, DossierLookup, DossierSource
from schemas.delivery import DeliveryState
from schemas.dossier import DossierRecord, Step
from schemas.dossier.reconcile import Fault, Side
from schemas.province import Agency, Endpoint, Subscription
from tests.integration.dossier_harness import (
    BEGIN,
    BUILD,
    KNOWN,
    NATIONAL,
    PATIENT,
    SOON,
    Engine,
    engine,
    record,
    step,
)
from tests.waiting import wait_until

USER, PASSWORD, KEY = "000.00.00.H99", b"mat-khau-cua-tinh", b"khoa-mot-cua-xa-mau"
COMMUNE, UNIT = "H99.31", "000.00.00.H99"
STEPS = 3
Condition = Callable[[], bool | Awaitable[bool]]


@dataclass
class Scene:
    bus: Engine
    portal: Portal
    one_stop: OneStopSandbox
    steps: dict[str, list[str]] = field(default_factory=dict)  # contents told, by dossier

    async def push(self, code: str) -> None:
        """A dossier as a department's software sends it: a record and its steps."""
        await self.bus.record(record(code))
        for number in range(STEPS):
            await self.bus.step(step(code, number))
        self.steps[code] = [f"Bước {number}" for number in range(STEPS)]

    def changes(self, code: str) -> list[Change]:
        """A dossier of the commune's one-stop system, which is fetched from."""
        items: list[DossierRecord | Step] = [record(code, agency=COMMUNE)]
        items += [step(code, number) for number in range(STEPS)]
        items += [record(code, agency=COMMUNE, status=4, due=BEGIN + timedelta(days=20))]
        self.steps[code] = [f"Bước {number}" for number in range(STEPS)]
        at = BEGIN
        return [Change(at + timedelta(minutes=n), COMMUNE, item) for n, item in enumerate(items)]

    def desk(self, *, dry_run: bool = False) -> Desk:
        snapshot = self.bus.live.snapshot
        return Desk(self.bus.ledger, snapshot, self.bus.manifests, "test", dry_run)

    async def reconcile(
        self, name: str, *, dry_run: bool = False, codes: tuple[str, ...] = (), since: int = 0
    ) -> Report:
        endpoint = self.bus.live.snapshot.endpoints[name]
        adapter = self.bus.create(endpoint)
        scope = Scope(since, None, codes)
        if isinstance(adapter, DossierLookup):
            return await with_portal(self.desk(dry_run=dry_run), endpoint, adapter, scope)
        assert isinstance(adapter, DossierSource)
        return await with_source(self.desk(dry_run=dry_run), endpoint, adapter, scope)

    async def settled(self) -> None:
        """Nothing waits at the one-stop system, nothing is under way to the portal."""

        async def quiet() -> bool:
            backlog = await self.bus.ledger.queries.backlog()
            return not self.one_stop.waiting and not backlog

        condition: Condition = quiet
        await wait_until(condition, deadline=100, what=lambda: f"{len(self.one_stop.waiting)} left")

    async def pause(self, endpoint: str) -> None:
        await self.bus.ledger.set_paused(endpoint, paused=True, actor="test", reason="bảo trì")
        await wait_until(lambda: self.bus.states.of(endpoint).paused, what="the pause is known")

    async def resume(self, endpoint: str) -> None:
        await self.bus.ledger.set_paused(endpoint, paused=False, actor="test", reason="xong")

    def timeline(self, code: str) -> list[str]:
        return [line["NoiDungXuLy"] for line in self.portal.store.timeline(code)]

    def sql(self, text: str, *values: object) -> None:
        """What befalls the portal behind everybody's back."""
        self.portal.store._db.execute(text, values)


def _items(
    portal: Portal, one_stop: OneStopSandbox, *, shows: bool
) -> tuple[tuple[Kind, Item], ...]:
    national = {
        "url": portal.service_url,
        "login_url": portal.login_url,
        "username": USER,
        "password": "cong",
        "madonvi": USER,
        "dstcode": DSTCODE,
        "lookup_shows_steps": shows,
        "lookups_per_second": 1000,
    }
    fetched = {
        "url": one_stop.url,
        "unit_code": UNIT,
        "secret": "mot-cua",
        "poll_seconds": 0.05,
        "listing_path": "dossiers",
        "calls_per_second": 1000,
    }
    common: dict[str, Any] = {"retry": SOON, "breaker": PATIENT}
    cong = Endpoint(name="cong", kind="dvcqg", config=national, concurrency=32, **common)
    mot_cua = Endpoint(
        name="mot-cua", kind="onestop", config=fetched, speaks_for=(COMMUNE,), **common
    )
    return (
        ("endpoint", cong),
        ("endpoint", mot_cua),
        ("agency", Agency(code=NATIONAL, name="Cổng quốc gia", endpoint="cong")),
        ("agency", Agency(code=BUILD, name="Sở Xây dựng")),
        ("agency", Agency(code=COMMUNE, name="Xã Mẫu")),
        ("subscription", Subscription(name="cong", receivers=(NATIONAL,))),
        ("mapping", KNOWN),
    )


@asynccontextmanager
async def scene(ledger_url: str, folder: Path, *, shows: bool = True) -> AsyncIterator[Scene]:
    """`shows`: look-ups at the portal show the timeline."""
    secrets = {"cong": PASSWORD, "mot-cua": KEY}
    account = Account(USER, PASSWORD, USER)
    async with (
        Portal([account], lookup_shows_steps=shows, lapse=0.01) as portal,
        OneStopSandbox(UNIT, KEY) as one_stop,
        open_session() as http,
    ):

        def real(endpoint: Endpoint) -> Adapter:
            config = endpoint.config
            return registry.create(endpoint.kind, config, http=http, secrets=secrets.__getitem__)

        items = _items(portal, one_stop, shows=shows)
        async with engine(ledger_url, folder, items=items, real=real) as bus:
            yield Scene(bus, portal, one_stop)


def _code(unit: str, number: int) -> str:
    return f"{unit}-261102-{number:04d}"


# ---- what befalls a dossier, and what must be found of it


def lost(scene: Scene, code: str) -> None:
    scene.sql("DELETE FROM dossier WHERE code=?", code)
    scene.sql("DELETE FROM line WHERE code=?", code)


def lost_steps(scene: Scene, code: str) -> None:
    scene.sql("DELETE FROM line WHERE code=? AND CAST(step AS TEXT) NOT LIKE '%Bước 0%'", code)


def older(scene: Scene, code: str) -> None:
    _alter(scene, code, TrangThaiHoSo="1")


def other_summary(scene: Scene, code: str) -> None:
    _alter(scene, code, TrichYeuHoSo="Không phải thế")


def refused(scene: Scene, code: str) -> None:
    _alter(scene, code, TrangThaiHoSo="3")


def lost_between(scene: Scene, code: str) -> None:
    scene.sql("DELETE FROM line WHERE code=? AND CAST(step AS TEXT) LIKE '%Bước 1%'", code)


def doubled(scene: Scene, code: str) -> None:
    scene.portal.store.append(scene.portal.store.timeline(code)[-1:])


def _alter(scene: Scene, code: str, **fields: str) -> None:
    found = scene.portal.store.record(code)
    assert found is not None
    scene.portal.store.write([found | fields], updating=True)


Found = tuple[Side, Fault, tuple[str, ...], str]
AT_PORTAL: tuple[tuple[Callable[[Scene, str], None], Found], ...] = (
    (lost, (Side.PORTAL, Fault.MISSING, (), "sent")),
    (lost_steps, (Side.PORTAL, Fault.STALE, (), "sent")),
    (older, (Side.PORTAL, Fault.STALE, (), "sent")),
    (other_summary, (Side.PORTAL, Fault.DIFFERING, ("summary",), "sent")),
    (refused, (Side.PORTAL, Fault.DIFFERING, ("status",), "")),
    (lost_between, (Side.PORTAL, Fault.DIFFERING, ("steps", "timeline"), "")),
    (doubled, (Side.PORTAL, Fault.DIFFERING, ("steps", "timeline"), "")),
)
AT_LEDGER: tuple[tuple[str, tuple[int, ...], Found], ...] = (  # which changes the bus never got
    ("all of it", (0, 1, 2, 3, 4), (Side.LEDGER, Fault.MISSING, (), "asked")),
    ("the last steps", (2, 3), (Side.LEDGER, Fault.STALE, (), "asked")),
    ("the new due date", (4,), (Side.LEDGER, Fault.DIFFERING, ("due",), "asked")),
)


def found_by(report: Report) -> dict[str, Found]:
    found = {
        each.finding.code: (
            each.finding.side,
            each.finding.fault,
            each.finding.fields,
            each.done,
        )
        for each in report.discrepancies
    }
    assert len(found) == len(report.discrepancies)
    return found


def left(expected: dict[str, Found]) -> dict[str, Found]:
    """What no machine may heal."""
    return {code: each for code, each in expected.items() if not each[3]}


def untouched(expected: dict[str, Found]) -> dict[str, Found]:
    return {code: (*each[:3], "") for code, each in expected.items()}


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("backend", "wrong", "right"),
    [("sqlite", 1000, 100), pytest.param("postgres", 130, 20, marks=pytest.mark.postgres)],
)
async def test_all_injected_discrepancies_are_found_and_the_healable_healed(
    request: pytest.FixtureRequest, tmp_path: Path, backend: str, wrong: int, right: int
) -> None:
    url: str = request.getfixturevalue(f"{backend}_url")
    async with scene(url, tmp_path) as at:
        at_ledger = await _fill(at, wrong, right)
        found = await _source_first(at, at_ledger)
        at_portal = _befall(at, wrong - len(at_ledger))
        strange = _code("H99.77", 1)
        at.portal.store.write([{"MaHoSo": strange}], updating=False)
        at_portal[strange] = (Side.PORTAL, Fault.EXTRA, (), "")

        looked = await at.reconcile("cong", dry_run=True, codes=(strange,))
        assert found_by(looked) == untouched(at_portal)
        await at.pause("cong")
        report = await at.reconcile("cong", codes=(strange,))
        assert found_by(report) == at_portal
        assert report.compared == len(at.steps) + 1
        assert (report.on_their_way, report.unanswered) == (0, 0)
        assert len(found) + len(at_portal) == wrong + 1
        await at.portal.set_fault("cut", probability=0.2)  # stored, and no answer
        await at.resume("cong")
        await at.settled()
        await at.portal.set_fault("ok")
        again = await at.reconcile("cong", codes=(strange,))
        assert found_by(again) == left(at_portal)

        marred = set(left(at_portal))
        for code, told in at.steps.items():
            if code not in marred and code not in left(at_ledger):
                assert at.timeline(code) == told, code


async def _fill(at: Scene, wrong: int, right: int) -> dict[str, Found]:
    """Both doors, and what is wrong between one-stop system and ledger, by dossier."""
    at_ledger: dict[str, Found] = {}
    for number in range(wrong * 3 // 10):
        code = _code(COMMUNE, number)
        ids = at.one_stop.publish(at.changes(code))
        _, lacking, expected = AT_LEDGER[number % len(AT_LEDGER)]
        if number % 7 == 6:  # the bus has it, and its system forgets it later
            at_ledger[code] = (Side.LEDGER, Fault.EXTRA, (), "")
            continue
        at_ledger[code] = expected
        for each in lacking:
            del at.one_stop.waiting[ids[each]]
    for number in range(right // 2):
        at.one_stop.publish(at.changes(_code(COMMUNE, 5000 + number)))
    count = wrong - len(at_ledger) + right // 2
    gate = asyncio.Semaphore(64)

    async def push(number: int) -> None:
        async with gate:
            await at.push(_code(BUILD, number))

    await asyncio.gather(*(push(number) for number in range(count)))
    await at.settled()
    for code in left(at_ledger):
        at.one_stop.hide(code)
    return at_ledger


async def _source_first(at: Scene, at_ledger: dict[str, Found]) -> dict[str, Found]:
    looked = await at.reconcile("mot-cua", dry_run=True)
    assert found_by(looked) == untouched(at_ledger)
    assert not at.one_stop.waiting
    report = await at.reconcile("mot-cua")
    assert found_by(report) == at_ledger
    await at.settled()
    assert found_by(await at.reconcile("mot-cua")) == left(at_ledger)
    assert not (await at.reconcile("cong")).discrepancies, "what was fetched went on by itself"
    return at_ledger


def _befall(at: Scene, count: int) -> dict[str, Found]:
    codes = [code for code in at.steps if code.startswith(BUILD)]
    victims = random.Random(4).sample(codes, count)
    expected = {}
    for number, code in enumerate(victims):
        befalls, found = AT_PORTAL[number % len(AT_PORTAL)]
        befalls(at, code)
        expected[code] = found
    kinds = Counter(found[1] for found in expected.values())
    assert {Fault.MISSING, Fault.STALE, Fault.DIFFERING} == kinds.keys()
    return expected


async def test_what_is_under_way_or_comes_meanwhile_is_left_for_the_next_time(
    ledger_url: str, tmp_path: Path
) -> None:
    async with scene(ledger_url, tmp_path) as at:
        codes = [_code(BUILD, number) for number in range(3)]
        for code in codes:
            await at.push(code)
        await at.settled()
        await at.pause("cong")
        await at.bus.step(step(codes[0], 7))
        lost(at, codes[1])
        report = await at.reconcile("cong")
        assert list(found_by(report)) == [codes[1]]
        assert (report.on_their_way, report.compared) == (1, 2)
        twice = await at.reconcile("cong")
        assert not twice.discrepancies, "what was sent again is on its way"
        assert twice.on_their_way == 2
        await at.resume("cong")
        await at.settled()
        assert not (await at.reconcile("cong")).discrepancies
        assert at.timeline(codes[0]) == [*at.steps[codes[0]], "Bước 7"]
        assert at.timeline(codes[1]) == at.steps[codes[1]]


async def test_a_portal_that_subscribes_late_gets_what_was_told_before(
    sqlite_url: str, tmp_path: Path
) -> None:
    async with scene(sqlite_url, tmp_path) as at:
        subscription = Subscription(name="cong", receivers=(NATIONAL,))
        await at.bus.declare("subscription", subscription, None)
        await wait_until(lambda: at.bus.live.snapshot.revision == 2, what="no subscription")
        codes = [_code(BUILD, number) for number in range(5)]
        for code in codes:
            await at.push(code)
        assert not (await at.reconcile("cong")).compared, "nobody has to have it"
        await at.bus.declare("subscription", None, subscription)
        await wait_until(lambda: at.bus.live.snapshot.revision == 3, what="the subscription")
        report = await at.reconcile("cong")
        assert set(found_by(report).values()) == {(Side.PORTAL, Fault.MISSING, (), "sent")}
        await at.settled()
        assert [at.timeline(code) for code in codes] == [at.steps[code] for code in codes]
        assert not (await at.reconcile("cong")).discrepancies


async def test_what_the_portal_refused_for_good_is_reported_and_not_sent_again(
    sqlite_url: str, tmp_path: Path
) -> None:
    async with scene(sqlite_url, tmp_path) as at:
        await at.portal.set_fault("reject")
        code = _code(BUILD, 1)
        await at.push(code)
        await at.settled()
        await at.portal.set_fault("ok")
        (only,) = (await at.reconcile("cong")).discrepancies
        assert (only.finding.fault, only.done) == (Fault.MISSING, "")
        assert "rejected" in only.why
        assert at.portal.store.record(code) is None


async def test_steps_wait_for_a_record_that_the_portal_takes(
    ledger_url: str, tmp_path: Path
) -> None:
    """Its first record is refused; steps come before and with the corrected one, and after it."""
    async with scene(ledger_url, tmp_path) as at:
        code, other = _code(BUILD, 1), _code(BUILD, 2)
        await at.portal.set_fault("reject")
        await at.bus.record(record(code))
        await at.settled()
        await at.portal.set_fault("ok")
        await at.push(other)
        for number in range(STEPS):
            await at.bus.step(step(code, number))
        await _parked(at.bus, STEPS)
        assert at.timeline(other) == at.steps[other]
        await at.pause("cong")
        await at.bus.step(step(code, STEPS))
        await at.bus.record(record(code, summary="Đã sửa"))
        await at.bus.step(step(code, STEPS + 1))
        await at.resume("cong")
        await at.settled()
        assert at.timeline(code) == [f"Bước {number}" for number in range(STEPS + 2)]
        assert not (await at.reconcile("cong")).discrepancies


async def test_a_dossier_that_the_portal_lost_comes_back_with_the_steps_that_waited_for_it(
    ledger_url: str, tmp_path: Path
) -> None:
    async with scene(ledger_url, tmp_path) as at:
        code = _code(BUILD, 1)
        await at.push(code)
        await at.settled()
        lost(at, code)
        for number in (STEPS, STEPS + 1):
            await at.bus.step(step(code, number))
        await _parked(at.bus, 2)
        report = await at.reconcile("cong")
        assert found_by(report) == {code: (Side.PORTAL, Fault.MISSING, (), "sent")}
        await at.settled()
        assert at.timeline(code) == [f"Bước {number}" for number in range(STEPS + 2)]


async def test_a_step_that_waits_for_its_record_goes_on_when_an_operator_says_so(
    ledger_url: str, tmp_path: Path
) -> None:
    async with scene(ledger_url, tmp_path) as at:
        code = _code(BUILD, 1)
        await at.bus.step(step(code, 1))
        await _parked(at.bus, 1)
        (row,) = await at.bus.ledger.queries.deliveries(code="partner-lacks-dossier")
        at.portal.store.write([{"MaHoSo": code}], updating=False)  # came by another way
        assert await at.bus.ledger.replay([row.id], actor="test", reason="đã có") == [row.id]
        await at.settled()
        assert at.timeline(code) == ["Bước 1"]


async def _parked(bus: Engine, count: int) -> None:
    """Returns when so many steps wait for their dossier."""

    async def held() -> bool:
        rows = await bus.ledger.queries.deliveries(code="partner-lacks-dossier")
        return [row.state for row in rows] == [DeliveryState.HELD] * count

    condition: Condition = held
    await wait_until(condition, what="steps wait for their dossier")


async def test_a_portal_that_shows_no_steps_is_compared_by_its_records(
    sqlite_url: str, tmp_path: Path
) -> None:
    """Steps it may have lost cannot be seen; only where it lost the dossier they go again."""
    async with scene(sqlite_url, tmp_path, shows=False) as at:
        codes = [_code(BUILD, number) for number in range(5)]
        for code in codes:
            await at.push(code)
        await at.settled()
        for befalls, code in zip((lost, older, other_summary, lost_steps), codes, strict=False):
            befalls(at, code)
        report = await at.reconcile("cong")
        assert found_by(report) == {
            codes[0]: (Side.PORTAL, Fault.MISSING, (), "sent"),
            codes[1]: (Side.PORTAL, Fault.STALE, (), "sent"),
            codes[2]: (Side.PORTAL, Fault.DIFFERING, ("summary",), "sent"),
        }
        await at.settled()
        assert not (await at.reconcile("cong")).discrepancies
        assert [at.timeline(code) for code in codes[:3]] == [at.steps[code] for code in codes[:3]]


async def test_a_portal_that_does_not_answer_is_not_hammered(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bus.engine.reconcile.PAUSE", 0.0)
    async with scene(sqlite_url, tmp_path) as at:
        for number in range(60):
            await at.push(_code(BUILD, number))
        await at.settled()
        await at.portal.set_fault("500")
        before = sum(at.portal.calls.values())
        report = await at.reconcile("cong")
        assert (report.compared, report.unanswered) == (0, 60)
        assert not report.discrepancies, "silence is no sign that something is missing"
        assert sum(at.portal.calls.values()) - before < 60


async def test_reports_and_journal_hold_no_personal_data(sqlite_url: str, tmp_path: Path) -> None:
    from bus.engine.reconcile_report import to_json  # noqa: PLC0415

    async with scene(sqlite_url, tmp_path) as at:
        code = _code(BUILD, 1)
        await at.push(code)
        await at.settled()
        _alter(at, code, ChuHoSo="Người Khác", TrichYeuHoSo="Khác")
        report = await at.reconcile("cong", dry_run=True)
        (only,) = report.discrepancies
        assert only.finding.fields == ("applicant.name", "summary")
        told = orjson.dumps(to_json(report)).decode()
        assert "Người Khác" not in told
        assert "Ví Dụ" not in told
