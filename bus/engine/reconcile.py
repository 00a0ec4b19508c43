"""Reconcile (đối soát): one-stop lists, ledger and portals held against each other.

What may be healed is healed the normal way: a one-stop system is asked to tell a dossier again, or
the messages a portal lacks become deliveries once more, which look before they send.  Whatever is
on its way is left for the next time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

import structlog

from bus.engine.live import Snapshot
from bus.ledger.ledger import Ledger
from bus.ledger.reconcile_queries import CHUNK, Counted, Known, Told, Way
from bus.ledger.records import SendAgain
from routing.decision import PlannedDelivery
from routing.mapping import Unmapped, map_record
from routing.router import Facts, route
from schemas.adapter import DossierLookup, DossierSource, Manifest, Reconciling
from schemas.delivery import TERMINAL, DeliveryState
from schemas.dossier import DossierRecord, DossierStatus, Step
from schemas.dossier.reconcile import Fault, Finding, Remedy, Seen, Side, reconcile, row_facts
from schemas.errors import ConfigurationError, PartnerError, PartnerUnavailable
from schemas.instant import SECOND, Instant, to_datetime
from schemas.province import Endpoint
from schemas.vietnam import day_of, start_of

log = structlog.get_logger(__name__)

AT_ONCE = 8
"""Look-ups under way at once."""

TRIES, PAUSE = 3, 1.0
"""Attempts at a call, and seconds before the second, doubling."""

GIVE_UP = 20
"""Calls in a row that got no answer: the partner is away, and the rest is not asked."""

NEVER = datetime(9999, 12, 31, tzinfo=UTC)
"""Of what is looked up one by one, the ledger itself tells what came meanwhile."""

DAY: Instant = 86_400 * SECOND
_FINAL = TERMINAL - {DeliveryState.DELIVERED}


@dataclass(frozen=True, slots=True)
class Scope:
    """What is looked at."""

    since: Instant
    senders: frozenset[str] | None = None  # own codes of agencies; None: all
    codes: tuple[str, ...] = ()  # dossiers to look up beside, wherever they are known


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """A finding, and what was done about it."""

    endpoint: str
    agency: str  # that handles the dossier, where it is known
    finding: Finding
    done: str = ""  # "sent", "asked"; empty: nothing
    why: str = ""  # when something that could be healed was not


@dataclass(slots=True)
class Report:
    """One endpoint reconciled."""

    endpoint: str
    began_at: Instant
    dry_run: bool
    finished_at: Instant = 0
    compared: int = 0  # dossiers
    on_their_way: int = 0  # left for the next time
    unanswered: int = 0  # the partner gave no answer about them
    discrepancies: list[Discrepancy] = field(default_factory=list)

    @property
    def healed(self) -> int:
        return sum(bool(each.done) for each in self.discrepancies)

    @property
    def left(self) -> int:
        """Discrepancies about which nothing was done."""
        return len(self.discrepancies) - self.healed

    def totals(self) -> dict[str, int]:
        """Without the list, for the journal."""
        found: dict[str, int] = {}
        for each in self.discrepancies:
            name = f"{each.finding.side}-{each.finding.fault}"
            found[name] = found.get(name, 0) + 1
        return found | {
            "compared": self.compared,
            "onTheirWay": self.on_their_way,
            "unanswered": self.unanswered,
            "healed": self.healed,
        }


class Caller:
    """Calls to one partner: so many a second, again when not answered, and no more when it is
    away.
    """

    def __init__(self, rate: float) -> None:
        self._interval = 1.0 / rate
        self._next = 0.0
        self._failures = 0  # in a row

    @property
    def away(self) -> bool:
        return self._failures >= GIVE_UP

    async def turn(self) -> None:
        """Waits until one more call may go."""
        now = time.monotonic()
        self._next = max(self._next, now) + self._interval
        await asyncio.sleep(self._next - self._interval - now)

    def answered(self) -> None:
        self._failures = 0

    def failed(self) -> None:
        self._failures += 1


@dataclass(frozen=True, slots=True)
class Desk:
    """What every reconciliation works with."""

    ledger: Ledger
    snapshot: Snapshot
    manifests: Mapping[str, Manifest]
    actor: str
    dry_run: bool = False
    advance: Callable[[int], None] = lambda _done: None  # dossiers done


def _policy(endpoint: Endpoint, adapter: DossierLookup | DossierSource) -> Reconciling:
    policy = adapter.reconciling
    if policy is None:
        raise ConfigurationError(
            f"endpoint {endpoint.name} is configured without an address to look up or list"
            " dossiers: the administrator adds it",
            vi=f"Điểm kết nối {endpoint.name} chưa khai báo địa chỉ tra cứu hoặc liệt kê hồ sơ:"
            " quản trị bổ sung",
        )
    return policy


# ---- a one-stop system's list and the ledger


async def with_source(
    desk: Desk, endpoint: Endpoint, source: DossierSource, scope: Scope
) -> Report:
    """Raises PartnerError, ConfigurationError: the list did not come as a whole."""
    ledger = desk.ledger
    report = Report(endpoint.name, ledger.clock(), desk.dry_run)
    first, last = day_of(scope.since), day_of(report.began_at)
    listed, agencies = await _listing(source, first, last, scope)
    known = await _received(desk, endpoint, scope, first, last, listed)
    here = {code: _as_listed(each, report.began_at) for code, each in known.items()}
    agencies |= {code: each.row.sender for code, each in known.items()}
    as_of = to_datetime(report.began_at)
    report.compared = len(listed.keys() | here.keys())
    report.on_their_way = sum(each.pending for each in (*listed.values(), *here.values()))
    caller = Caller(_policy(endpoint, source).rate)
    for finding in reconcile(listed, here, None, as_of=as_of):
        done, why = "", ""
        if finding.remedy is Remedy.FETCH and not desk.dry_run:
            done, why = await _ask_again(caller, source, finding.code)
        agency = agencies.get(finding.code, "")
        report.discrepancies.append(Discrepancy(endpoint.name, agency, finding, done, why))
    return await _finished(desk, report)


async def _listing(
    source: DossierSource, first: date, last: date, scope: Scope
) -> tuple[dict[str, Seen], dict[str, str]]:
    """What it has, and whose, by dossier."""
    listed: dict[str, Seen] = {}
    agencies: dict[str, str] = {}
    async with aclosing(source.listing(first, last)) as rows:
        async for row in rows:
            if scope.senders is None or row.agency in scope.senders:
                listed[row.code], agencies[row.code] = row.seen, row.agency
    return listed, agencies


async def _received(
    desk: Desk,
    endpoint: Endpoint,
    scope: Scope,
    first: date,
    last: date,
    listed: Collection[str],
) -> dict[str, Counted]:
    """What the ledger has of the agencies this endpoint speaks for, and of what is listed."""
    directory = desk.snapshot.directory
    heads = [_own(desk, code) for code in endpoint.speaks_for]
    mine: dict[str, bool] = {}
    found: dict[str, Counted] = {}

    def is_mine(sender: str) -> bool:
        if scope.senders is not None and sender not in scope.senders:
            return False
        if sender not in mine:
            mine[sender] = any(directory.is_within(sender, head) for head in heads)
        return mine[sender]

    queries = desk.ledger.reconciling
    async for rows in queries.received(start_of(first), start_of(last) + DAY):
        found |= {each.row.code: each for each in rows if is_mine(each.row.sender)}
        desk.advance(len(rows))
    for codes in _pieces(sorted(set(listed) - found.keys())):
        rows = await queries.counted(codes)
        found |= {each.row.code: each for each in rows if is_mine(each.row.sender)}
    return found


def _own(desk: Desk, code: str) -> str:
    found = desk.snapshot.directory.resolve(code, day_of(desk.ledger.clock())).agency
    return code if found is None else found.code


def _as_listed(known: Counted, began_at: Instant) -> Seen:
    row = known.row
    facts = row_facts(
        procedure=row.procedure, received=_moment(row.received_at), due=_moment(row.due_at)
    )
    return Seen(
        DossierStatus(row.status),
        changed=_moment(row.last_step_at),
        steps=known.steps,
        facts=facts,
        pending=row.changed_at >= began_at,
    )


def _moment(at: Instant | None) -> datetime | None:
    return None if at is None else to_datetime(at)


async def _ask_again(caller: Caller, source: DossierSource, code: str) -> tuple[str, str]:
    if caller.away:
        return "", "the one-stop software does not answer"
    await caller.turn()
    try:
        await source.tell_again(code)
    except PartnerError as error:
        caller.failed()
        return "", error.detail.en
    caller.answered()
    return "asked", ""


# ---- the ledger and a portal's look-ups


async def with_portal(
    desk: Desk, endpoint: Endpoint, portal: DossierLookup, scope: Scope
) -> Report:
    """Every dossier that changed in the scope and is for this portal is looked up there.

    Raises ConfigurationError: it cannot be asked at all.
    """
    return await _Portal(desk, endpoint, portal, scope).run()


class _Portal:
    def __init__(self, desk: Desk, endpoint: Endpoint, portal: DossierLookup, scope: Scope) -> None:
        self._desk, self._endpoint, self._portal, self._scope = desk, endpoint, portal, scope
        self._caller = Caller(_policy(endpoint, portal).rate)
        self._report = Report(endpoint.name, desk.ledger.clock(), desk.dry_run)
        self._plans: dict[tuple[str, str, str], PlannedDelivery | None] = {}

    async def run(self) -> Report:
        queries, scope = self._desk.ledger.reconciling, self._scope
        seen = set[str]()
        name = self._endpoint.name
        async for some in queries.changed(name, since=scope.since, senders=scope.senders):
            seen.update(each.row.code for each in some)
            await self._compare(some, ())
            self._desk.advance(len(some))
        for codes in _pieces([code for code in dict.fromkeys(scope.codes) if code not in seen]):
            some = await queries.of_codes(name, codes)
            strange = set(codes) - {each.row.code for each in some}
            await self._compare(some, sorted(strange))
            self._desk.advance(len(codes))
        return await _finished(self._desk, self._report)

    async def _compare(self, some: Iterable[Known], strange: Sequence[str]) -> None:
        """`strange` are codes that the ledger does not have."""
        mine = [case for each in some if (case := self._case(each)) is not None]
        moving = [case for case in mine if case.known.moving]
        self._report.on_their_way += len(moving)
        cases = {case.code: case for case in mine if not case.known.moving}
        shown = await self._look_up([*cases, *strange])
        asked = {code: case.expected for code, case in cases.items() if code in shown}
        there = {code: seen for code, seen in shown.items() if seen is not None}
        self._report.compared += len(shown)
        found = list(reconcile(None, asked, there, as_of=NEVER))
        unchanged = await self._unchanged([cases[f.code] for f in found if f.code in cases])
        for finding in found:
            case = cases.get(finding.code)
            if case is None:
                self._report.discrepancies.append(Discrepancy(self._endpoint.name, "", finding))
            elif finding.code not in unchanged:
                self._report.on_their_way += 1
            elif case.mapped or finding.fault is Fault.MISSING:
                await self._settle(case, finding, there.get(finding.code))

    # --- what the portal should have ------------------------------------------------------------

    def _case(self, known: Known) -> _Case | None:
        """None: it is not for this portal, or nothing can be sent of it."""
        if known.record is None:
            return None
        plan = self._planned("dossier", known.row.sender, known.record.client)
        if plan is None or plan.held:
            return None
        steps = [
            told
            for told in known.steps
            if self._planned("step", known.row.sender, told.client) is not None
        ]
        record, mapped = self._mapped(DossierRecord.model_validate_json(known.record.text))
        parsed = [Step.model_validate_json(told.text) for told in steps]
        expected = self._portal.expected(record, parsed)
        return _Case(known, known.record, tuple(steps), plan, expected, mapped)

    def _planned(self, kind: str, sender: str, client: str) -> PlannedDelivery | None:
        """The delivery to this endpoint that the configuration in force asks for."""
        via = client.removeprefix("endpoint:") if client.startswith("endpoint:") else ""
        key = (kind, sender, via)
        if key not in self._plans:
            snapshot = self._desk.snapshot
            decision = route(
                Facts(kind, sender, (), via),
                snapshot.directory,
                snapshot.routes,
                snapshot.endpoints,
                self._desk.manifests,
                on=day_of(self._desk.ledger.clock()),
                subscriptions=snapshot.subscriptions,
            )
            name = self._endpoint.name
            plans = (plan for plan in decision.planned() if plan.endpoint == name)
            self._plans[key] = next(plans, None)
        return self._plans[key]

    def _mapped(self, record: DossierRecord) -> tuple[DossierRecord, bool]:
        """With the codes of this portal, and whether there is one for each."""
        if not self._desk.manifests[self._endpoint.kind].maps:
            return record, True
        on = day_of(self._desk.ledger.clock())
        mapped = map_record(record, self._desk.snapshot.mappings, on)
        return (record, False) if isinstance(mapped, Unmapped) else (mapped, True)

    # --- what it has ----------------------------------------------------------------------------

    async def _look_up(self, codes: Sequence[str]) -> dict[str, Seen | None]:
        """By code; those about which the portal gave no answer are left out."""
        found: dict[str, Seen | None] = {}
        free = asyncio.Semaphore(AT_ONCE)

        async def ask(code: str) -> None:
            async with free:
                try:
                    found[code] = await self._ask(code)
                except PartnerError:
                    self._report.unanswered += 1

        async with asyncio.TaskGroup() as group:
            for code in codes:
                group.create_task(ask(code))
        return found

    async def _ask(self, code: str) -> Seen | None:
        """Raises PartnerError when no try was answered."""
        if self._caller.away:
            raise PartnerUnavailable("the portal does not answer look-ups")
        for number in range(TRIES):
            await self._caller.turn()
            try:
                seen = await self._portal.look_up(code)
            except PartnerError as error:
                self._caller.failed()
                if number == TRIES - 1 or self._caller.away:
                    raise
                pause = PAUSE * 2.0**number
                await asyncio.sleep(max(pause, min(error.retry_after or 0.0, 60.0)))
            else:
                self._caller.answered()
                return seen
        raise AssertionError  # the last try returns or raises

    async def _unchanged(self, cases: Collection[_Case]) -> set[str]:
        """Those about which nothing came while the portal was asked."""
        before = {case.code: case.known for case in cases}
        unchanged = set[str]()
        for codes in _pieces(list(before)):
            for now in await self._desk.ledger.reconciling.of_codes(self._endpoint.name, codes):
                then = before[now.row.code]
                same = (now.row, now.ways) == (then.row, then.ways)
                if now.row.sender == then.row.sender and same and not now.moving:
                    unchanged.add(now.row.code)
        return unchanged

    # --- what is done about it ------------------------------------------------------------------

    async def _settle(self, case: _Case, finding: Finding, there: Seen | None) -> None:
        done, why = "", ""
        if finding.remedy is Remedy.SEND:
            lacking = case.lacking(there)
            final = next((way for told in lacking if (way := case.final(told))), None)
            if final is not None:
                why = f"what it lacks is {final.state.value}: a person decides"
            elif not self._desk.dry_run:
                sent = await self._send(case, lacking)
                done, why = ("sent", "") if sent else ("", "something of it is under way")
        agency = case.known.row.sender
        self._report.discrepancies.append(
            Discrepancy(self._endpoint.name, agency, finding, done, why)
        )

    async def _send(self, case: _Case, lacking: Sequence[Told]) -> bool:
        days = self._endpoint.expire_after_days
        expires_at = None if days is None else self._desk.ledger.clock() + int(days * DAY)
        messages = tuple(told.message_id for told in lacking)
        again = SendAgain(self._endpoint.name, case.plan.receivers, case.code, messages, expires_at)
        return await self._desk.ledger.send_again(
            again, actor=self._desk.actor, reason="reconciliation"
        )


@dataclass(frozen=True, slots=True)
class _Case:
    """A dossier that the portal should have."""

    known: Known
    record: Told = field(repr=False)
    steps: tuple[Told, ...] = field(repr=False)
    plan: PlannedDelivery
    expected: Seen = field(repr=False)
    mapped: bool

    @property
    def code(self) -> str:
        return self.known.row.code

    def final(self, told: Told) -> Way | None:
        """The delivery after which it must not go again by itself."""
        way = self.known.ways.get(told.message_id)
        return way if way is not None and way.state in _FINAL else None

    def lacking(self, there: Seen | None) -> tuple[Told, ...]:
        """The record, which is a whole state, and the steps that the portal does not show."""
        if there is None:
            return (self.record, *self.steps)
        if there.timeline is None:  # it does not say which steps it has
            return (self.record,)
        return (self.record, *self.steps[len(there.timeline) :])


async def _finished(desk: Desk, report: Report) -> Report:
    report.finished_at = desk.ledger.clock()
    data = {"endpoint": report.endpoint, "dryRun": report.dry_run, **report.totals()}
    await desk.ledger.note("reconciled", actor=desk.actor, data=data)
    log.info("reconcile.finished", **data)
    return report


def _pieces(codes: Sequence[str]) -> Iterable[Sequence[str]]:
    return (codes[start : start + CHUNK] for start in range(0, len(codes), CHUNK))


__all__ = [
    "Desk",
    "Discrepancy",
    "Report",
    "Scope",
    "Side",
    "with_portal",
    "with_source",
]
