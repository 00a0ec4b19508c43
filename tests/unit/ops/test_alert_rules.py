"""Each rule of the alerts: what raises it, whom it blames, and what it leaves in peace."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime

import pytest

from bus.ledger.alerts import Finding, OpenDossiers, Tally
from bus.ledger.queries import ProcessRow
from bus.ledger.records import Backlog, EndpointState, Poll
from bus.ops.alerts import flow, own, senders
from bus.ops.alerts.look import Expiry, Look, Waiting
from bus.ops.alerts.watch import RULES
from bus.ops.tallies import SPAN, WARNING
from schemas.delivery import DeliveryState as S
from schemas.errors import Text
from schemas.instant import SECOND, from_datetime, to_datetime
from schemas.maintenance import Maintenance
from schemas.message import Lane
from schemas.province import Endpoint
from schemas.vietnam import VIETNAM
from tests.unit.ops.looks import HEALTH, NOW, ago, limits, look

DAY = 86_400.0


def _only(found: Iterable[Finding]) -> Finding:
    (finding,) = found
    for text in (finding.what, finding.cause, finding.step):
        assert text.vi
        assert text.en
    return finding


def _heard(kind: str, count: int, *, seconds: float = 60, sender: str = HEALTH) -> Tally:
    return Tally(kind, sender, ago(seconds), count)


def test_where_all_is_well_no_rule_speaks() -> None:
    well = look()
    assert [f for rule in RULES for f in rule(well)] == []
    assert senders.silent(well)[0] == senders.drift(well)[0] == []


# --- flow ---------------------------------------------------------------------------------------


def test_breaker_open_names_the_partner_and_its_last_error() -> None:
    state = EndpointState("so-y-te", breaker="open", opened_at=ago(90), last_error="refused")
    finding = _only(flow.breakers(look(states={"so-y-te": state})))
    assert (finding.culprit, finding.since) == ("endpoint:so-y-te", ago(90))
    assert "refused" in finding.cause.vi
    assert finding.lasts == 60
    paused = EndpointState("so-y-te", paused=True, breaker="open")
    gone = EndpointState("di-roi", breaker="open")
    assert not list(flow.breakers(look(states={"so-y-te": paused, "di-roi": gone})))


def test_backlog_age_is_judged_by_lane_and_by_who_fetches() -> None:
    def rows(name: str, lane: Lane, seconds: float, state: S = S.QUEUED) -> list[Backlog]:
        return [Backlog(name, lane, state, 3, ago(seconds))]

    finding = _only(flow.backlog(look(backlog=rows("so-y-te", Lane.NORMAL, 2_000))))
    assert (finding.key, finding.culprit) == ("backlog-age:so-y-te/normal", "endpoint:so-y-te")
    assert finding.since == ago(2_000)
    assert _only(flow.backlog(look(backlog=rows("so-y-te", Lane.URGENT, 400)))).severity == (
        "critical"
    )
    assert not list(flow.backlog(look(backlog=rows("so-y-te", Lane.NORMAL, 400))))
    assert not list(flow.backlog(look(backlog=rows("hop-thu", Lane.NORMAL, 2_000))))
    assert (
        "hop-thu"
        in _only(flow.backlog(look(backlog=rows("hop-thu", Lane.NORMAL, 2 * DAY)))).what.vi
    )
    assert not list(flow.backlog(look(backlog=rows("so-y-te", Lane.NORMAL, DAY, S.HELD))))
    paused = {"so-y-te": EndpointState("so-y-te", paused=True)}
    assert not list(flow.backlog(look(backlog=rows("so-y-te", Lane.NORMAL, DAY), states=paused)))


@pytest.mark.parametrize(
    ("good", "bad", "rule", "culprit"),
    [
        ("attempt-good", "attempt-failed", "error-rate", "endpoint:so-y-te"),
        ("attempt-good", "attempt-rejected", "refusals", "endpoint:so-y-te"),
        ("call-good", "call-failed", "error-rate", "service:so-y-te"),
    ],
)
def test_error_rate_and_refusals(good: str, bad: str, rule: str, culprit: str) -> None:
    def of(well: int, ill: int, *, seconds: float = 60) -> Look:
        return look(
            tallies=[
                Tally(good, "so-y-te", ago(seconds), well),
                Tally(bad, "so-y-te", ago(seconds), ill),
            ]
        )

    finding = _only(flow.errors(of(20, 10)))
    assert (finding.rule, finding.culprit) == (rule, culprit)
    assert not list(flow.errors(of(1, 9))), "too few to say"
    assert not list(flow.errors(of(1_000, 10))), "too small a share"
    assert not list(flow.errors(of(0, 100, seconds=700))), "long ago"
    assert not list(flow.errors(of(0, 100, seconds=130))), "it is over"


def test_deliveries_dead_wait_for_a_person() -> None:
    rows = [Backlog("so-y-te", lane, S.DEAD, 2, ago(60)) for lane in Lane]
    finding = _only(flow.dead(look(backlog=rows)))
    assert finding.culprit == "endpoint:so-y-te"
    assert "4" in finding.what.en
    assert "lgsp delivery list --state dead" in finding.step.en


def test_dossiers_late_blames_the_agency_and_not_a_single_dossier() -> None:
    finding = _only(flow.dossiers(look(dossiers=[OpenDossiers(HEALTH, 40, 6, ago(DAY))])))
    assert (finding.culprit, finding.since) == (f"agency:{HEALTH}", ago(DAY))
    assert "Sở Y tế" in finding.what.vi
    few = [OpenDossiers(HEALTH, 8, 4, ago(DAY)), OpenDossiers("H38.03", 900, 60, ago(DAY))]
    assert not list(flow.dossiers(look(dossiers=few)))


# --- senders ------------------------------------------------------------------------------------


def _rhythm(*pauses: float, last: float) -> dict[str, object]:
    """As remembered: these longest pauses in spans of an hour, up to `last` seconds ago."""
    span = int(NOW / SECOND // 3_600)
    spans = {str(span - n): pause for n, pause in enumerate(pauses, start=1)}
    return {"rhythm": {"at": NOW, "senders": {HEALTH: {"last": ago(last), "spans": spans}}}}


def _silent(memory: dict[str, object], **changes: object) -> list[Finding]:
    rules = limits(silent_working_time=False, rhythm_span=3_600, silent_least=300, **changes)
    return senders.silent(look(memory=memory, limits=rules))[0]


def test_partner_silent_is_judged_by_its_own_rhythm() -> None:
    finding = _only(_silent(_rhythm(120, 200, 150, last=700)))
    assert (finding.rule, finding.culprit) == ("partner-silent", f"agency:{HEALTH}")
    assert finding.since == ago(700)
    assert "Sở Y tế" in finding.what.vi
    assert not _silent(_rhythm(120, 200, 150, last=400)), "not three times as long"
    assert not _silent(_rhythm(10, 20, 15, last=200)), "shorter than the least"
    assert not _silent(_rhythm(120, 200, last=9_000)), "no rhythm yet"


def test_partner_silent_learns_a_rhythm_from_what_is_heard() -> None:
    rules = limits(silent_working_time=False, rhythm_span=100, silent_least=1, silent_factor=3)
    memory: dict[str, object] = {}
    for second in range(0, 500, 20):
        at = NOW + second * SECOND // SPAN * SPAN
        heard = [Tally("heard-new", HEALTH, at, 1), Tally("heard-new", "G01", at, 1)]
        found, memory["rhythm"] = senders.silent(
            look(now=NOW + second * SECOND, tallies=heard, memory=memory, limits=rules)
        )
        assert found == []
    later = look(now=NOW + 550 * SECOND, memory=memory, limits=rules)
    assert _only(senders.silent(later)[0]).subject == HEALTH, "and not one of another province"


def test_partner_silent_does_not_count_the_time_the_bus_was_away() -> None:
    memory = _rhythm(120, 200, 150, last=100 + 9_000)
    memory["rhythm"]["at"] = ago(9_000)  # type: ignore[index]
    assert not _silent(memory)


def test_partner_silent_counts_working_time_only() -> None:
    """From Friday 17:20 to Monday 9:00 in Vietnam there are 100 minutes of work."""
    friday = from_datetime(datetime(2026, 11, 20, 17, 20, tzinfo=VIETNAM))
    monday = from_datetime(datetime(2026, 11, 23, 9, 0, tzinfo=VIETNAM))
    span = int(monday / SECOND // 86_400)
    spans = {str(span - n): 2_400.0 for n in (1, 2, 3)}
    memory = {"rhythm": {"at": monday, "senders": {HEALTH: {"last": friday, "spans": spans}}}}
    for working, factor, found in ((True, 3, 0), (True, 2, 1), (False, 3, 1)):
        rules = limits(silent_working_time=working, silent_factor=factor)
        said = senders.silent(look(now=monday, memory=memory, limits=rules))[0]
        assert len(said) == found, (working, factor)
        assert not said or ("100 min" in said[0].what.en) == working


def test_fetch_failing_names_the_partner_and_what_it_said() -> None:
    silent = Poll("so-y-te", ago(2_000), ago(60), "partner-timeout: x")
    finding = _only(senders.fetching(look(polls={"so-y-te": silent})))
    assert (finding.culprit, finding.since) == ("endpoint:so-y-te", ago(2_000))
    for fine in (
        Poll("so-y-te", ago(2_000), ago(-60), "partner-timeout: x"),  # not due yet
        Poll("so-y-te", ago(2_000), ago(60), None),  # fetched by nobody
        Poll("di-roi", ago(2_000), ago(60), "partner-timeout: x"),
    ):
        assert not list(senders.fetching(look(polls={fine.endpoint: fine})))


def test_duplicate_storm_counts_repeats_against_all() -> None:
    storm = [_heard("heard-duplicate", 15), _heard("heard-conflict", 10), _heard("heard-new", 20)]
    finding = _only(senders.repeats(look(tallies=storm)))
    assert finding.culprit == f"agency:{HEALTH}"
    assert "25" in finding.what.en
    busy = [_heard("heard-duplicate", 25), _heard("heard-new", 100)]
    assert not list(senders.repeats(look(tallies=busy)))
    assert not list(senders.repeats(look(tallies=[_heard("heard-duplicate", 5)])))


def test_schema_drift_is_a_deviation_that_the_sender_never_had() -> None:
    habit = [_heard("heard-new", 30, seconds=300), _heard(f"{WARNING}old", 30, seconds=300)]
    found, memory = senders.drift(look(tallies=habit))
    assert found == []
    news = [*habit, _heard(f"{WARNING}unknown-element:X", 1), _heard(f"{WARNING}old", 1)]
    found, memory = senders.drift(look(tallies=news, memory={"drift": memory}))
    assert "unknown-element:X" in _only(found).what.vi
    assert "old" not in _only(found).what.vi
    again, _ = senders.drift(look(tallies=news, memory={"drift": memory}))
    assert _only(again).since == ago(60), "the same trouble"
    later = look(now=NOW + 2 * 86_400 * SECOND, memory={"drift": memory})
    assert senders.drift(later)[0] == [], "a habit by now"
    month = NOW + 40 * 86_400 * SECOND
    back = [Tally(f"{WARNING}old", HEALTH, month, 1)]
    found, _ = senders.drift(look(now=month, tallies=back, memory={"drift": memory}))
    assert "old" in _only(found).what.en, "forgotten since"


def _lags(*lags: tuple[int, int]) -> Look:
    return look(tallies=[Tally("lag", HEALTH, ago(30), 3, low, high) for low, high in lags])


@pytest.mark.parametrize(
    ("lags", "said"),
    [
        ([(-400, -390), (-395, 2)], "ahead"),
        ([(600, 610), (605, 640)], "behind"),
        ([(7 * 3_600, 7 * 3_600 + 9), (7 * 3_600 + 2, 7 * 3_600 + 5)], "whole hours"),
    ],
)
def test_clock_skew_is_told_with_its_direction_and_a_wrong_zone(
    lags: list[tuple[int, int]], said: str
) -> None:
    finding = _only(senders.clocks(_lags(*lags)))
    assert said in f"{finding.what.en} {finding.cause.en}"
    assert finding.culprit == f"agency:{HEALTH}"


def test_clock_skew_is_not_what_waited_at_its_sender() -> None:
    assert not list(senders.clocks(_lags((3, 5_000), (10, 9_000))))
    assert not list(senders.clocks(_lags((-60, 60), (-50, 3))))
    assert not list(senders.clocks(_lags((-500, -500)))), "one message says nothing"


# --- the bus itself -----------------------------------------------------------------------------


def test_role_missing_and_broker_away() -> None:
    finding = _only(own.roles(look(roles={"gateway": 2, "dispatcher": 1, "worker": 0})))
    assert (finding.culprit, finding.lasts) == ("bus:worker", 30)
    assert "lgsp worker" in finding.step.vi
    assert _only(own.broker(look(broker_up=False))).culprit == "bus:rabbitmq"


def test_a_process_that_alone_does_not_reach_the_broker_is_named() -> None:
    here, there = "may-1/gateway", "may-2/worker"
    rows = [
        ProcessRow("a", ("gateway",), "may-1", 1, NOW, 0),
        ProcessRow("b", ("worker",), "may-2", 1, NOW, 0),
    ]
    both = look(processes=rows, beating=frozenset("ab"), here=here)
    cut = Tally(own.BROKER, there, ago(5), 1, 0, 0)
    well = Tally(own.BROKER, there, ago(1), 1, 1, 1)
    finding = _only(own.broker(replace(both, tallies=[cut])))
    assert (finding.rule, finding.culprit) == ("broker-cut", f"bus:{there}")
    assert "may-2" in finding.step.vi
    assert not list(own.broker(replace(both, tallies=[well, cut]))), "reached again"
    assert not list(own.broker(replace(both, tallies=[cut], beating=frozenset("a")))), "gone"
    ours = replace(both, broker_up=False, tallies=[replace(cut, subject=here)])
    assert _only(own.broker(ours)).culprit == f"bus:{here}", "only the one that looks"
    assert _only(own.broker(replace(both, broker_up=False, tallies=[cut]))).rule == "broker-away"


def test_a_further_disk_has_a_share_of_its_own() -> None:
    said = Tally("disk", "may-1:/sao-luu", ago(5), 1, 150, 150)
    assert not list(own.disks(look(tallies=[said])))
    wanted = look(tallies=[said], limits=limits(disks={"/sao-luu": 0.2}))
    finding = _only(own.disks(wanted))
    assert "/sao-luu" in finding.cause.vi
    assert not list(own.disks(replace(wanted, limits=limits(disks={"/sao-luu": 0.1}))))


def test_disk_is_judged_by_what_each_process_said_last() -> None:
    said = [
        Tally("disk", "may-1:/var", ago(30), 1, 20, 20),
        Tally("disk", "may-2:/", ago(9), 1, 500),
    ]
    finding = _only(own.disks(look(tallies=said)))
    assert (finding.culprit, finding.severity) == ("bus:disk:may-1:/var", "critical")
    freed = [*said, Tally("disk", "may-1:/var", ago(5), 1, 300, 300)]
    assert not list(own.disks(look(tallies=freed)))


def test_expiry_warns_a_month_before_and_shouts_in_the_last_week() -> None:
    def at(days: float) -> Look:
        text = Text("Chứng thư", "Certificate")
        end = NOW + int(days * DAY * SECOND)
        return look(expiries=[Expiry("server/x:443", "endpoint:so-y-te", end, text, text)])

    assert _only(own.expiries(at(20))).severity == "warning"
    assert _only(own.expiries(at(5))).severity == "critical"
    assert "expired" in _only(own.expiries(at(-5))).what.en
    assert not list(own.expiries(at(40)))


def test_journal_break_and_a_channel_that_takes_nothing() -> None:
    finding = _only(own.journal(look(journal_problems=["chain a: entry 3 was altered"])))
    assert (finding.culprit, finding.severity) == ("bus:journal", "critical")
    assert "entry 3" in finding.what.vi
    stuck = {"email": Waiting(4, ago(700), "SMTPServerDisconnected")}
    assert _only(own.channels(look(channels=stuck))).culprit == "bus:alerts:email"
    new = {"email": Waiting(4, ago(30), "x"), "webhook": Waiting(4, ago(700), None)}
    assert not list(own.channels(look(channels=new)))


def test_a_partner_in_announced_maintenance_is_no_trouble() -> None:
    def during(begins: float, ends: float) -> Look:
        away = Maintenance(
            begins=to_datetime(ago(-begins)),
            ends=to_datetime(ago(-ends)),
            announced=date(2026, 1, 1),
        )
        well = look()
        endpoint = Endpoint(name="so-y-te", kind="rest-push", maintenance=(away,))
        snapshot = replace(well.snapshot, endpoints={"so-y-te": endpoint})
        return replace(
            well,
            snapshot=snapshot,
            states={"so-y-te": EndpointState("so-y-te", breaker="open", opened_at=ago(900))},
            polls={"so-y-te": Poll("so-y-te", None, ago(60), "refused")},
            backlog=[Backlog("so-y-te", Lane.NORMAL, S.QUEUED, 3, ago(99_999))],
        )

    def rules(look_: Look) -> set[str]:
        found = (flow.breakers(look_), flow.backlog(look_), senders.fetching(look_))
        return {each.rule for rule in found for each in rule}

    assert rules(during(-60, 60)) == set()
    assert rules(during(60, 120)) == {"breaker-open", "backlog-age", "fetch-failing"}
    assert rules(during(-120, -60)) == {"breaker-open", "backlog-age", "fetch-failing"}
