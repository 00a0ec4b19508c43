"""Alerts on both ledgers: told once, over restarts and outages of channels, and never forgotten."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import text

from bus.engine.live import LiveConfig
from bus.engine.membership import Membership
from bus.ledger import alerts, secret_lives
from bus.ledger.alerts import Tally
from bus.ledger.config_store import Change
from bus.ledger.ledger import Ledger
from bus.ledger.walk import Place, walk_on
from bus.ops.alerts import expiring
from bus.ops.alerts.channels import NotTold
from bus.ops.alerts.policy import AlertPolicy
from bus.ops.alerts.watch import Alerts, Surroundings
from bus.ops.alerts.wording import Letter
from bus.ops.gauges import LedgerGauges
from bus.ops.metrics import Metrics
from schemas.errors import NotFound
from schemas.instant import SECOND
from schemas.province import Endpoint
from tests.ledgers import prepare

START = 1_790_000_000 * SECOND


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)


@dataclass
class Paper:
    """A channel that keeps what it is told, and can be away."""

    name: str = "webhook"
    away: bool = False
    letters: list[Letter] = field(default_factory=list)

    async def tell(self, letter: Letter) -> None:
        if self.away:
            raise NotTold("away")
        self.letters.append(letter)

    @property
    def said(self) -> list[list[tuple[str, str]]]:
        """By letter: (event, key) of each alert."""
        return [[(each.event, each.alert.key) for each in letter.told] for letter in self.letters]


@dataclass
class Scene:
    ledger: Ledger
    live: LiveConfig
    clock: Clock
    paper: Paper
    policy: AlertPolicy
    alerts: Alerts

    def restart(self, *disks: Path) -> None:
        """Another process goes on."""
        self.alerts = _alerts(self.ledger, self.live, self.policy, self.paper, disks)

    async def round(self, *, after: float = 15) -> None:
        self.clock.forward(after)
        await self.alerts.round()
        await self.alerts._outbox.round()

    async def break_(self, endpoint: str) -> None:
        await self.ledger.open_breaker(endpoint, probe_at=self.clock.now, error="refused")

    async def silence(self, pattern: str, *, seconds: float) -> None:
        until = self.clock.now + int(seconds * SECOND)
        await self.ledger.act(
            lambda tx, chain, now: alerts.silence(
                tx, chain, now, pattern, until=until, reason="bảo trì", actor="cli:test"
            )
        )


def _alerts(
    ledger: Ledger, live: LiveConfig, policy: AlertPolicy, paper: Paper, disks: Sequence[Path] = ()
) -> Alerts:
    metrics = Metrics()
    around = Surroundings(
        live=live,
        membership=Membership(ledger, {"gateway", "dispatcher", "worker"}),
        gauges=LedgerGauges(ledger.queries, metrics),
        metrics=metrics,
        broker_up=lambda: True,
        pull_kinds=(),
        disks=disks,
        secrets_dir=None,
    )
    return Alerts(ledger, around, policy, [paper])


@pytest.fixture
async def scene(ledger_url: str, tmp_path: Path) -> AsyncIterator[Scene]:
    clock = Clock()
    await prepare(ledger_url)
    ledger = await Ledger.open(ledger_url, tmp_path / "blobs", clock=clock)
    endpoints = [Endpoint(name=name, kind="rest-push") for name in ("so-y-te", "so-noi-vu")]
    await ledger.config.apply(
        [Change("endpoint", each.name, None, each) for each in endpoints],
        expected=0,
        actor="test",
        reason="",
    )
    live = LiveConfig(ledger.config)
    await live.start()
    policy = AlertPolicy.model_validate(
        {"webhook": {"url": "http://127.0.0.1:1/", "secret": "canh-bao"}}
    )
    paper = Paper()
    yield Scene(ledger, live, clock, paper, policy, _alerts(ledger, live, policy, paper))
    await live.close()
    await ledger.close()


KEY = "breaker-open:so-y-te"


async def test_an_alert_is_told_once_over_restarts_and_resolves_itself(scene: Scene) -> None:
    await scene.break_("so-y-te")
    await scene.round()
    assert scene.paper.said == [], "open for 15 s only"
    await scene.round(after=60)
    assert scene.paper.said == [[("raised", KEY)]]
    for _ in range(3):
        scene.restart()
        await scene.round()
    assert len(scene.paper.letters) == 1, "a restart does not repeat it"
    (row,) = await scene.ledger.alerts.unresolved()
    assert (row.culprit, row.since) == ("endpoint:so-y-te", START)
    await scene.ledger.close_breaker("so-y-te")
    scene.restart()
    await scene.round(after=30)
    assert await scene.ledger.alerts.unresolved(), "it may come back at once"
    await scene.round(after=400)
    assert scene.paper.said[1:] == [[("resolved", KEY)]], "nor does a restart forget it"
    await scene.break_("so-y-te")
    await scene.round(after=400)
    assert scene.paper.said[2:] == [[("raised", KEY)]], "new trouble is a new alert"
    numbers = {letter.told[0].alert.id for letter in scene.paper.letters}
    assert len(numbers) == 2
    events = [row.event for row in await scene.ledger.queries.journal() if "alert" in row.event]
    assert events == ["alert-raised", "alert-resolved", "alert-raised"]
    with pytest.raises(NotFound):
        await scene.ledger.alerts.alert(999)


async def test_what_was_over_before_it_lasted_is_told_to_nobody(scene: Scene) -> None:
    await scene.break_("so-y-te")
    await scene.round()
    await scene.ledger.close_breaker("so-y-te")
    await scene.round(after=600)
    assert scene.paper.letters == []
    assert await scene.ledger.alerts.unresolved() == []


async def test_an_alert_that_stays_is_told_again_after_a_day(scene: Scene) -> None:
    await scene.break_("so-y-te")
    await scene.round(after=61)
    await scene.round(after=86_000)
    await scene.round(after=600)
    assert scene.paper.said == [[("raised", KEY)], [("reminded", KEY)]]


async def test_a_channel_that_is_away_loses_nothing_and_is_told_in_one_letter(
    scene: Scene,
) -> None:
    scene.paper.away = True
    await scene.break_("so-y-te")
    await scene.round(after=61)
    await scene.ledger.close_breaker("so-y-te")
    await scene.round(after=61)
    await scene.round(after=61)
    for _ in range(12):
        scene.restart()
        await scene.round(after=60)
    said = await scene.ledger.alerts.waiting()
    assert said["webhook"][0] >= 2
    assert said["webhook"][2] == "away"
    scene.paper.away = False
    await scene.round(after=400)
    both = [("raised", KEY), ("resolved", KEY)]
    assert both in scene.paper.said, "in the order in which it happened"
    told = [each for letter in scene.paper.said for each in letter]
    assert told.count(both[0]) == told.count(both[1]) == 1
    assert ("raised", "channel-failing:webhook") in told, "the outage itself is an alert"


async def test_news_of_one_culprit_are_gathered_and_another_does_not_wait(scene: Scene) -> None:
    await scene.break_("so-y-te")
    await scene.round(after=61)
    await scene.ledger.close_breaker("so-y-te")
    await scene.break_("so-noi-vu")
    await scene.round(after=61)
    await scene.round(after=61)
    assert scene.paper.said == [[("raised", KEY)], [("raised", "breaker-open:so-noi-vu")]]
    await scene.round(after=300)
    assert scene.paper.said[2:] == [[("resolved", KEY)]]


async def test_a_silence_ends_by_itself_and_then_it_is_told(scene: Scene) -> None:
    await scene.silence("breaker-open:so-y-*", seconds=600)
    await scene.break_("so-y-te")
    await scene.break_("so-noi-vu")
    await scene.round(after=61)
    assert scene.paper.said == [[("raised", "breaker-open:so-noi-vu")]]
    raised = {row.key for row in await scene.ledger.alerts.unresolved() if row.raised_at}
    assert KEY in raised, "it is in the list all the same"
    (silence,) = await scene.ledger.alerts.silences(scene.clock.now)
    assert (silence.reason, silence.actor) == ("bảo trì", "cli:test")
    await scene.round(after=600)
    assert scene.paper.said[1:] == [[("raised", KEY)]]
    assert await scene.ledger.alerts.silences(scene.clock.now) == []


async def test_what_was_silenced_from_beginning_to_end_is_told_to_nobody(scene: Scene) -> None:
    await scene.silence("*", seconds=6_000)
    await scene.break_("so-y-te")
    await scene.round(after=61)
    await scene.ledger.close_breaker("so-y-te")
    await scene.round(after=61)
    await scene.round(after=61)
    await scene.silence("*", seconds=0)
    await scene.round(after=61)
    assert scene.paper.letters == []
    assert await scene.ledger.alerts.unresolved() == []
    assert [row.key for row in await scene.ledger.alerts.raised(limit=9)] == [KEY]


async def test_tallies_of_all_processes_are_one_sum(scene: Scene) -> None:
    mine = [Tally("heard-new", "H38", START, 2), Tally("lag", "H38", START, 1, 5, 9)]
    other = [Tally("heard-new", "H38", START, 3), Tally("lag", "H38", START, 1, -4, 7)]
    for each in (mine, other, []):
        await scene.ledger.act(partial(alerts.count, tallies=each))
    found = {each.kind: each for each in await scene.ledger.alerts.tallies(START)}
    assert found["heard-new"].count == 5
    assert (found["lag"].low, found["lag"].high) == (-4, 9)
    assert await scene.ledger.alerts.tallies(START + 1) == []


async def test_a_disk_that_fills_up_is_measured_where_it_is(scene: Scene, tmp_path: Path) -> None:
    limits = scene.policy.thresholds.model_copy(update={"disk_share": 0.999_999})
    scene.policy = scene.policy.model_copy(update={"thresholds": limits})
    scene.restart(tmp_path, tmp_path / "not-made-yet")
    await scene.alerts.count()
    await scene.round()
    (row,) = await scene.ledger.alerts.unresolved()
    assert row.rule == "disk"
    assert str(tmp_path) in row.culprit
    assert "%" in row.what.vi


# --- the walk over the journal ------------------------------------------------------------------


async def _walked(scene: Scene, *, entries: int = 100_000) -> list[str]:
    """Problems of one whole walk, in as many steps as it takes."""
    place = Place()
    for _ in range(50):
        place = await walk_on(scene.ledger.db, place, entries=entries, pause=0, now=scene.clock.now)
        place = Place.of(place.value())  # as it is kept
        if place.ended_at:
            return place.problems
    raise AssertionError("the walk does not end")


async def _write_journal(scene: Scene, count: int) -> None:
    for number in range(count):
        await scene.ledger.note("noted", actor="test", data={"n": number})


async def test_the_walk_finds_the_journal_intact_in_any_number_of_steps(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _write_journal(scene, 30)
    assert await _walked(scene) == []
    monkeypatch.setattr("bus.ledger.walk.PIECE", 7)
    assert await _walked(scene, entries=7) == []
    assert (await scene.ledger.verify_journal()).problems == ()


async def _harm(scene: Scene, statement: str) -> None:
    """As somebody does who owns the database: the guard goes first."""
    db = scene.ledger.db
    guards = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'journal'"
    async with db.write() as connection:
        if db.is_sqlite:
            for (name,) in (await connection.execute(text(guards))).all():
                await connection.execute(text(f"DROP TRIGGER {name}"))
        else:
            await connection.execute(text("DROP TRIGGER IF EXISTS journal_append_only ON journal"))
        await connection.execute(text(statement))


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        ("UPDATE journal SET data = '{}' WHERE seq = 5", "entry 5 was altered"),
        ("DELETE FROM journal WHERE seq = 5", "entry 5 is missing"),
        ("DELETE FROM journal WHERE seq > 8", "does not end"),
        ("UPDATE journal SET actor = 'x' WHERE seq = 1", "entry 1 was altered"),
    ],
)
async def test_the_walk_finds_what_was_altered_removed_or_cut(
    scene: Scene, harm: str, said: str
) -> None:
    await _write_journal(scene, 12)
    await _harm(scene, harm)
    assert any(said in problem for problem in await _walked(scene))
    await scene.round()
    assert scene.paper.said == [[("raised", "journal-break:journal")]]


async def test_the_walk_finds_a_whole_chain_removed(scene: Scene, tmp_path: Path) -> None:
    await _write_journal(scene, 3)
    (chain,) = {row.chain for row in await scene.ledger.queries.journal()}
    url = scene.ledger.db.url.render_as_string(hide_password=False)
    other = await Ledger.open(url, tmp_path / "other", clock=scene.clock)
    await other.note("noted", actor="other", data={})
    await other.close()
    for table in ("journal", "journal_chain"):
        await _harm(scene, f"DELETE FROM {table} WHERE chain = '{chain}'")  # noqa: S608
    assert any(chain in problem for problem in await _walked(scene))


async def test_what_a_partner_showed_last_is_known_to_every_process(scene: Scene) -> None:
    nowhere = "server/127.0.0.1:1"
    end = START + 20 * 86_400 * SECOND
    old = Endpoint(name="so-y-te", kind="rest-push")
    new = old.model_copy(update={"config": {"url": "https://127.0.0.1:1/", "secret": "yte-2"}})
    revision = await scene.ledger.config.apply(
        [Change("endpoint", "so-y-te", old, new)], expected=1, actor="test", reason=""
    )
    await scene.live.reach(revision)
    shown = [
        {
            "name": nowhere,
            "culprit": "endpoint:so-y-te",
            "at": end,
            "what": ["c"] * 2,
            "step": ["s"] * 2,
        }
    ]
    act = scene.ledger.act
    await act(lambda tx, chain, at: alerts.remember(tx, chain, at, expiring.MEMORY, shown))
    await expiring.look_again(scene.ledger, scene.live.snapshot, None)
    soon = end - 86_400 * SECOND
    await act(
        lambda tx, chain, at: secret_lives.made(tx, chain, at, "yte-2", ends_at=soon, actor="lan")
    )
    found = await expiring.all_of(scene.ledger, scene.live.snapshot)
    assert [(each.name, each.at) for each in found] == [
        ("secret/so-y-te/yte-2", soon),
        (nowhere, end),
    ]
    scene.restart()
    await scene.round()
    raised = {row.key for row in await scene.ledger.alerts.unresolved()}
    assert raised == {f"expiry:{each.name}" for each in found}
    history = await scene.ledger.alerts.raised(limit=1)
    rest = await scene.ledger.alerts.raised(
        limit=9, before=(history[0].raised_at or 0, history[0].id)
    )
    assert {row.key for row in [*history, *rest]} == raised
