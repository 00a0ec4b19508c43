"""A one-stop system's list and the ledger held against each other."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import aclosing
from dataclasses import replace
from datetime import date, datetime

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
from bus.ledger.reconcile_queries import Counted
from routing.mapping import Unmapped
from schemas.adapter import DossierSource, ListedDossier
from schemas.dossier import DossierStatus
from schemas.dossier.reconcile import Remedy, Seen, reconcile, row_facts
from schemas.errors import PartnerError
from schemas.instant import Instant, to_datetime
from schemas.province import Endpoint
from schemas.vietnam import day_of, start_of


async def with_source(
    desk: Desk, endpoint: Endpoint, source: DossierSource, scope: Scope
) -> Report:
    """Raises PartnerError, ConfigurationError: the list did not come as a whole."""
    ledger = desk.ledger
    report = Report(endpoint.name, ledger.clock(), desk.dry_run)
    first, last = day_of(scope.since), day_of(report.began_at)
    listed, agencies = await _listing(desk, source, first, last, scope)
    known = await _received(desk, endpoint, scope, first, last, listed)
    here = {code: _as_listed(each, report.began_at) for code, each in known.items()}
    agencies |= {code: each.row.sender for code, each in known.items()}
    as_of = to_datetime(report.began_at)
    report.compared = len(listed.keys() | here.keys())
    report.on_their_way = sum(each.pending for each in (*listed.values(), *here.values()))
    caller = Caller(policy_of(endpoint, source).rate)
    for finding in reconcile(listed, here, None, as_of=as_of):
        done, why = "", ""
        if finding.remedy is Remedy.FETCH and not desk.dry_run:
            done, why = await _ask_again(caller, source, finding.code)
        agency = agencies.get(finding.code, "")
        report.discrepancies.append(Discrepancy(endpoint.name, agency, finding, done, why))
    return await finished(desk, report)


async def _listing(
    desk: Desk, source: DossierSource, first: date, last: date, scope: Scope
) -> tuple[dict[str, Seen], dict[str, str]]:
    """What it has, and whose, by dossier."""
    listed: dict[str, Seen] = {}
    agencies: dict[str, str] = {}
    async with aclosing(source.listing(first, last)) as rows:
        async for row in rows:
            if scope.senders is None or row.agency in scope.senders:
                listed[row.code], agencies[row.code] = _understood(desk, row), row.agency
    return listed, agencies


def _understood(desk: Desk, row: ListedDossier) -> Seen:
    """With the national status; what no table translates is not compared."""
    told = row.local_status or ("" if row.seen.status is None else f"{row.seen.status:d}")
    if not told:
        return row.seen
    on = day_of(desk.ledger.clock())
    line = desk.snapshot.directory.line(row.agency, on)
    found = desk.snapshot.mappings.status(line, told, on)
    return replace(row.seen, status=None if isinstance(found, Unmapped) else found)


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
    for codes in pieces(sorted(set(listed) - found.keys())):
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
        pending=row.changed_at >= began_at or row.status == DossierStatus.UNMAPPED,
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
