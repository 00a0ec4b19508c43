"""Totals that portals want of every agency: the month's evaluations and statistics, once a day.

They are made of all that was known up to the end of yesterday and sent as messages of the agency
itself, to whoever subscribes.  A total's identity is its agency and day, so that several
dispatchers, and one that starts anew, send it once.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import asdict
from datetime import date, timedelta

import orjson
import structlog
from pydantic.alias_generators import to_camel

from bus.engine.accept import Acceptor
from bus.engine.accept_dossier import Source
from bus.engine.accept_item import accept_item
from bus.engine.live import Snapshot
from bus.engine.outlive import outliving
from bus.ledger.dossier_queries import RatingRow
from bus.ops import dossier_figures
from schemas.dossier.figures import Figures, Score, percentages
from schemas.errors import DuplicateMessage, LedgerUnavailable, LgspError
from schemas.flows import Evaluation, Shares, Statistics
from schemas.message import ItemKind
from schemas.vietnam import day_of, start_of

log = structlog.get_logger(__name__)

PAUSE_SECONDS = 60.0
CLIENT = "bus"
_DAY = timedelta(days=1)


class TotalsReporter:
    """Run by every dispatcher."""

    def __init__(self, acceptor: Acceptor) -> None:
        self._acceptor = acceptor
        self._done: tuple[date, Snapshot] | None = None
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._acceptor.live.on_change(lambda _snapshot: self._changed.set())
        self._task = outliving(self._run, name="totals")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                sent = await self.round()
            except LedgerUnavailable as error:
                log.debug("totals.ledger_away", error=str(error))
            else:
                if sent:
                    log.info("totals.sent", count=sent)
            try:
                async with asyncio.timeout(PAUSE_SECONDS):
                    await self._changed.wait()
                self._changed.clear()
            except TimeoutError:
                continue

    async def round(self) -> int:
        """Sends what is not sent yet of yesterday; once for each day and configuration.

        Returns how many were new. Raises LedgerUnavailable.
        """
        snapshot, today = self._acceptor.live.snapshot, day_of(self._acceptor.ledger.clock())
        if self._done is not None and self._done[0] == today and self._done[1] is snapshot:
            return 0
        last = today - _DAY
        sent = 0
        items: list[Evaluation | Statistics] = [
            *await self._evaluations(last),
            *await self._statistics(last),
        ]
        for item in items:
            sent += await self._send(item)
        self._done = (today, snapshot)
        return sent

    async def _evaluations(self, last: date) -> list[Evaluation]:
        ledger = self._acceptor.ledger
        since, until = start_of(last.replace(day=1)), start_of(last + _DAY)
        rows = await ledger.dossiers.ratings(senders=None, since=since, until=until)
        of_agency: dict[str, list[RatingRow]] = {}
        for row in rows:
            of_agency.setdefault(row.agency, []).append(row)
        return [
            evaluation_of(agency, self._name(agency), last, of_agency[agency])
            for agency in self._wanted("evaluation", of_agency)
        ]

    async def _statistics(self, last: date) -> list[Statistics]:
        snapshot, ledger = self._acceptor.live.snapshot, self._acceptor.ledger
        if not any("statistics" in each.kinds for each in snapshot.subscriptions):
            return []
        rows = await dossier_figures.of_period(
            ledger.dossiers,
            first=last.replace(day=1),
            last=last,
            senders=None,
            calendar=snapshot.calendar,
            procedures=snapshot.procedures,
            now=ledger.clock(),
        )
        found = {row.agency: row for row in rows}
        return [
            statistics_of(found[agency], self._name(agency), last)
            for agency in self._wanted("statistics", found)
        ]

    def _wanted(self, kind: ItemKind, agencies: Collection[str]) -> Iterator[str]:
        """Those of whom somebody wants to hear it."""
        snapshot = self._acceptor.live.snapshot
        on = day_of(self._acceptor.ledger.clock())
        for code in sorted(agencies):
            agency = snapshot.directory.resolve(code, on).agency
            if agency is None:
                continue
            if snapshot.subscriptions.receivers(kind, snapshot.directory.codes_of(agency, on)):
                yield code

    def _name(self, code: str) -> str:
        agency = self._acceptor.live.snapshot.directory.get(code)
        return code if agency is None else agency.name

    async def _send(self, item: Evaluation | Statistics) -> bool:
        """Whether it is new. What one total stumbles over does not keep the others."""
        text = orjson.dumps(item.model_dump(mode="json", by_alias=True))
        source = Source(CLIENT, text, "application/json", "")
        try:
            receipt = await accept_item(self._acceptor, item, item.agency, source)
        except LedgerUnavailable:
            raise
        except DuplicateMessage:  # yesterday's total has left; what came late counts from today on
            return False
        except LgspError as error:
            log.warning("totals.refused", agency=item.agency, kind=item.kind, code=error.code)
            return False
        return not receipt.duplicate


def evaluation_of(agency: str, name: str, last: date, rows: list[RatingRow]) -> Evaluation:
    """What is said of the agency's dossiers and of its service, in percentages."""
    service = [row.service for row in rows if row.service is not None]
    return Evaluation(
        agency=agency,
        agency_name=name,
        month=f"{last:%Y-%m}",
        until=last,
        total=len(rows),
        overall=_shares([row.score for row in rows]),
        service=_shares(service) if service else None,
    )


def _shares(scores: list[int]) -> Shares:
    counted = Counter(scores)
    shares = percentages(
        counted[Score.VERY_SATISFIED], counted[Score.SATISFIED], counted[Score.UNSATISFIED]
    )
    return Shares(**shares._asdict())


def statistics_of(row: Figures, name: str, last: date) -> Statistics:
    numbers = {to_camel(key): n for key, n in asdict(row).items() if key != "agency"}
    return Statistics(
        agency=row.agency,
        agency_name=name,
        month=f"{last:%Y-%m}",
        until=last,
        figures=numbers,
    )
