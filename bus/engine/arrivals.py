"""Status 01 (đã đến) on behalf of receiving systems that do not send it themselves.

The ledger says of which arrivals the sender is still to be told.  A status is accepted like any
other message, under an id of its own that is made of the document's, so that telling twice is a
repeat; accepting it takes the arrival off the list, in the same transaction.
"""

from __future__ import annotations

import asyncio
from datetime import date, datetime

import structlog

from bus.engine.accept import Acceptor
from bus.ledger.exchange_queries import ExchangeRow
from bus.ledger.tx import Tx
from schemas.edxml import Organ, ResponseFor, StaffInfo, StatusHeader, StatusPacket, write_status
from schemas.errors import LedgerUnavailable, LgspError
from schemas.exchange import Event
from schemas.instant import Instant, to_datetime
from schemas.vietnam import VIETNAM

log = structlog.get_logger(__name__)

PAUSE_SECONDS = 1.0
BATCH = 100
CLIENT = "bus"
DESCRIPTION = "Đã đến: hệ thống nhận đã nhận văn bản (trục báo thay)"


class ArrivalReporter:
    """Run by every dispatcher; what two of them tell at once is told once."""

    def __init__(self, acceptor: Acceptor) -> None:
        self._acceptor = acceptor
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="arrivals")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            told = 0
            try:
                for row in await self._acceptor.ledger.exchanges.unreported(limit=BATCH):
                    told += await self._try(row)
            except LedgerUnavailable as error:
                log.debug("arrivals.ledger_away", error=str(error))
            if told < BATCH:
                await asyncio.sleep(PAUSE_SECONDS)

    async def _try(self, row: ExchangeRow) -> bool:
        """What one arrival stumbles over must not keep the others from being told."""
        try:
            await self._report(row)
        except LedgerUnavailable:
            raise
        except Exception:
            log.exception("arrivals.failed", message=row.message_id)
            return False
        return True

    async def _report(self, row: ExchangeRow) -> None:
        intake = self._acceptor.intake()
        try:
            await intake.feed(write_status(self._packet(row)))
            await intake.close()
            ref = f"arrival:{row.message_id}:{row.receiver}"
            await intake.accept(client=CLIENT, sender_ref=ref, trace="")
        except LgspError as error:
            if error.retryable:
                raise
            # the sender has left the directory: nobody is there to be told
            log.warning("arrivals.not_reported", message=row.message_id, error=error.code)
        await self._acceptor.ledger.act(lambda tx, _chain, _now: _reported(tx, row))

    def _packet(self, row: ExchangeRow) -> StatusPacket:
        directory = self._acceptor.live.snapshot.directory
        agency = directory.get(row.receiver)
        return StatusPacket(
            header=StatusHeader(
                sender=Organ(organ_id=row.receiver, organ_name=agency.name if agency else ""),
                response_for=ResponseFor(
                    organ_id=row.sender,
                    code=row.document_code,
                    promulgation_date=_date(row.promulgated),
                    document_id=row.document_id,
                ),
                staff_info=StaffInfo(department="LGSP"),
                status_code=Event.INBOX.value,
                description=DESCRIPTION,
                timestamp=_local(row.arrived_at or row.changed_at),
            )
        )


def _date(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


def _local(at: Instant) -> datetime:
    """As packets write it: local time without a zone, whole seconds."""
    return to_datetime(at).astimezone(VIETNAM).replace(tzinfo=None, microsecond=0)


async def _reported(tx: Tx, row: ExchangeRow) -> None:
    await tx.execute(
        "UPDATE exchange SET arrival_told = true WHERE message_id = ? AND receiver = ?",
        row.message_id,
        row.receiver,
    )
