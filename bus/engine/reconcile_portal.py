"""The ledger and a portal's look-ups held against each other."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bus.engine.reconcile import (
    DAY,
    Caller,
    Desk,
    Discrepancy,
    Report,
    Scope,
    finished,
    pieces,
    policy_of,
)
from bus.ledger.reconcile_queries import Known, Told, Way
from bus.ledger.records import SendAgain
from routing.decision import PlannedDelivery
from routing.mapping import Unmapped, map_record
from routing.router import Facts, route
from schemas.adapter import DossierLookup
from schemas.delivery import TERMINAL, DeliveryState
from schemas.dossier import DossierRecord, Step
from schemas.dossier.reconcile import Fault, Finding, Remedy, Seen, reconcile
from schemas.errors import ConfigurationError, PartnerError, PartnerUnavailable
from schemas.province import Endpoint
from schemas.vietnam import day_of

AT_ONCE = 8
"""Look-ups under way at once."""

TRIES, PAUSE = 3, 1.0
"""Attempts at a call, and seconds before the second, doubling."""

NEVER = datetime(9999, 12, 31, tzinfo=UTC)
"""Of what is looked up one by one, the ledger itself tells what came meanwhile."""

_FINAL = TERMINAL - {DeliveryState.DELIVERED}


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
        self._caller = Caller(policy_of(endpoint, portal).rate)
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
        for codes in pieces([code for code in dict.fromkeys(scope.codes) if code not in seen]):
            some = await queries.of_codes(name, codes)
            strange = set(codes) - {each.row.code for each in some}
            await self._compare(some, sorted(strange))
            self._desk.advance(len(codes))
        return await finished(self._desk, self._report)

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
                except (PartnerError, ConfigurationError) as error:
                    self._report.unanswered += 1
                    self._report.trouble = self._report.trouble or error.detail.en

        async with asyncio.TaskGroup() as group:
            for code in codes:
                group.create_task(ask(code))
        return found

    async def _ask(self, code: str) -> Seen | None:
        """Raises PartnerError or ConfigurationError when no try was answered.

        A session that lapses twice in a row looks like a wrong account: it is asked again, too.
        """
        if self._caller.away:
            raise PartnerUnavailable("the portal does not answer look-ups")
        for number in range(TRIES):
            await self._caller.turn()
            try:
                seen = await self._portal.look_up(code)
            except (PartnerError, ConfigurationError) as error:
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
        for codes in pieces(list(before)):
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
        again = SendAgain(
            self._endpoint.name,
            case.plan.receivers,
            case.code,
            messages,
            case.known.newest,
            expires_at,
        )
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
