"""Processes that die: told when nobody starts them again, or when they die again and again."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from bus.ledger.alerts import Finding, Loss, Tally
from bus.ledger.queries import ProcessRow
from bus.ops.alerts.look import Look
from bus.ops.alerts.processes import PROCESSES, dead
from schemas.instant import SECOND
from tests.unit.ops.looks import NOW, look

ALL = ("dispatcher", "gateway", "worker")


@dataclass
class Bus:
    """Processes that come and go, and the rounds of one that looks."""

    now: int = NOW
    rows: dict[str, ProcessRow] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)
    tallies: list[Tally] = field(default_factory=list)
    memory: dict[str, Any] = field(default_factory=dict)
    limits: dict[str, Any] = field(default_factory=dict)

    def start(self, process: str, *roles: str, host: str = "may-1") -> None:
        self.rows[process] = ProcessRow(process, roles, host, 77, self.now, 0)

    def leave(self, process: str) -> None:
        del self.rows[process]

    def bury(self, process: str) -> None:
        row = self.rows.pop(process)
        self.silent.discard(process)
        self.tallies.append(Loss(process, row.host, row.pid, row.roles, self.now).tally)

    def round(self, *, after: float = 15) -> list[Finding]:
        self.now += int(after * SECOND)
        found, memory = dead(self._look())
        self.memory = {PROCESSES: orjson.loads(orjson.dumps(memory))}  # as it is kept
        return found

    def _look(self) -> Look:
        beating = frozenset(self.rows.keys() - self.silent)
        well = look(now=self.now, memory=self.memory, tallies=self.tallies)
        alive = {role: sum(role in self.rows[each].roles for each in beating) for role in ALL}
        return replace(
            well,
            processes=list(self.rows.values()),
            beating=beating,
            lost=frozenset(self.lost),
            roles=alive,
            limits=well.limits.model_copy(update=self.limits),
        )


def _bus(**limits: Any) -> Bus:
    bus = Bus(limits=limits)
    bus.start("s1", *ALL)
    for number in (1, 2, 3):
        bus.start(f"w{number}", "worker", host=f"may-{number}")
    for _ in range(3):
        assert bus.round() == []
    return bus


def test_a_killed_process_is_missed_until_it_is_started_again() -> None:
    bus = _bus()
    bus.silent.add("w2")
    assert bus.round() == [], "silent: perhaps it is slow"
    bus.bury("w2")
    (finding,) = bus.round(after=1)
    assert (finding.key, finding.culprit) == ("process-lost:worker", "bus:worker")
    assert finding.since == bus.now - SECOND
    assert finding.lasts == 30
    for text in (finding.what, finding.cause, finding.step):
        assert text.vi != text.en
        assert "may-2" in text.vi
        assert "may-2" in text.en
    assert "2 of 3" in finding.what.en
    assert "lgsp worker" in finding.step.vi
    assert bus.round(after=700), "also when nobody remembers the burial"
    bus.start("w2-again", "worker", host="container-8d1f")
    assert bus.round() == bus.round() == []


def test_one_that_is_started_again_at_once_is_no_trouble() -> None:
    bus = _bus()
    bus.silent.add("w1")
    bus.start("w1-again", "worker")
    assert bus.round(after=3) == [], "both are registered for some seconds"
    bus.bury("w1")
    for _ in range(5):
        assert bus.round() == []
    bus.silent.add("w2")
    bus.bury("w2")
    assert bus.round(), "three are expected, not four"
    bus.start("w2-again", "worker")
    assert bus.round() == []


def test_who_leaves_in_good_order_is_not_missed() -> None:
    bus = _bus()
    bus.leave("w1")
    assert bus.round() == bus.round() == []
    bus.bury("w2")
    (finding,) = bus.round()
    assert "1 of 2" in finding.what.en


def test_one_that_nobody_starts_again_is_not_expected_for_ever() -> None:
    bus = _bus(process_forgets=3_600)
    bus.bury("w1")
    assert bus.round()
    assert bus.round(after=3_500)
    assert bus.round(after=120) == bus.round() == []


def test_dying_again_and_again_is_told_though_it_is_started_each_time() -> None:
    bus = _bus(process_deaths=2)
    bus.leave("w2")
    bus.leave("w3")
    bus.round()
    name = "w1"
    found = []
    for number in range(3):
        bus.bury(name)
        name = f"w1-{number}"
        bus.start(name, "worker")
        found.append(bus.round(after=40))
    assert [len(each) for each in found] == [0, 1, 1]
    (finding,) = found[-1]
    assert (finding.key, finding.severity) == ("process-lost:worker", "critical")
    assert "3 times" in finding.what.en
    assert bus.round(after=700) == []


def test_machines_that_lost_power_and_came_back_are_no_dying_again_and_again() -> None:
    bus = _bus()
    for name in ("w1", "w2", "w3"):
        bus.bury(name)
        bus.start(f"{name}-again", "worker")
    assert bus.round() == []


def test_a_role_that_is_gone_has_an_alert_of_its_own() -> None:
    bus = Bus()
    bus.start("d", "dispatcher", "gateway")
    bus.start("w", "worker")
    bus.round()
    bus.round()
    bus.bury("w")
    assert bus.round() == []


def test_where_no_dispatcher_lives_to_bury_it_a_lost_process_is_missed() -> None:
    bus = Bus()
    bus.start("c", "console")
    bus.start("k", "console", host="may-2")
    bus.round()
    bus.round()
    bus.silent.add("k")
    bus.lost.add("k")
    (first,) = bus.round()
    assert first.culprit == "bus:console"
    (again,) = bus.round()
    assert again.since == first.since
    bus.lost.clear()
    bus.bury("k")
    assert len(bus.round()) == 1
