"""Accept dossiers: a record or one step of its timeline, each a message of its own.

Nothing coalesces: what was accepted is delivered.  A record equal to the one accepted last is a
repeat of it; one that differs is news, even if the dossier had looked just so before.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date

from bus.engine.accept import Acceptor, Letter
from bus.ledger.records import Receipt
from routing.mapping import map_status
from schemas.dossier import DossierRecord, Step, Told, as_told, lacks_reception
from schemas.errors import DuplicateMessage, InvalidRequest
from schemas.instant import from_datetime
from schemas.message import DossierBody, Lane, StepBody
from schemas.vietnam import day_of


@dataclass(frozen=True, slots=True)
class Source:
    """Who hands something in, and how it was written there."""

    client: str
    original: bytes
    media_type: str
    trace: str
    via: str = ""  # endpoint it was fetched from


async def accept_record(
    acceptor: Acceptor, record: DossierRecord, source: Source, ref: str | None
) -> Receipt:
    """Durable when it returns. `ref` is the sender's own id of the message, if it has one.

    A status in the sender's own code is understood by the tables of the day of acceptance; while
    none knows it, the dossier waits (bus.engine.statuses).
    Raises InvalidRequest, DuplicateMessage, UnknownReceiver, TooLarge, LedgerUnavailable.
    """
    told, sender = record, own_code(acceptor, record.agency)
    record = _understood(acceptor, told, sender, day_of(acceptor.ledger.clock()))
    if record.received is None and lacks_reception(record.status):
        raise InvalidRequest(
            f"a dossier in status {record.status:d} has been received: the moment is needed",
            vi=f"Hồ sơ ở trạng thái {record.status:d} đã được tiếp nhận: thiếu thời điểm tiếp nhận",
            field="received",
        )
    text = record.model_dump_json(by_alias=True)
    body = DossierBody(
        code=record.code,
        nation_code=record.nation_code,
        procedure=record.procedure,
        agency=record.agency,
        channel=record.channel,
        status=record.status,
        local_status=record.local_status,
        received=record.received,
        due=record.due,
        finished=record.finished,
        returned=record.returned,
    )
    ref = ref or await _content_ref(acceptor, sender, told)
    letter = _letter(body, record.agency, record.code, source, text)
    return await accept_letter(acceptor, letter, sender, ref, source, derived=False)


async def accept_step(acceptor: Acceptor, step: Step, agency: str, source: Source) -> Receipt:
    """Durable when it returns; the dossier's code and the step's id are its identity.

    A status in the sender's own code is understood by the tables of the day of the step.
    Raises DuplicateMessage, UnknownReceiver, TooLarge, LedgerUnavailable.
    """
    derived = "id" not in step.model_fields_set
    sender = own_code(acceptor, agency)
    step = _understood(acceptor, step, sender, day_of(from_datetime(step.at)))
    text = step.model_dump_json(by_alias=True)
    body = StepBody(
        code=step.code,
        step_id=step.id,
        status=step.status,
        local_status=step.local_status,
        at=step.at,
    )
    letter = _letter(body, agency, step.code, source, text)
    ref = f"step:{step.code}:{step.id}"
    return await accept_letter(acceptor, letter, sender, ref, source, derived=derived)


def _understood(acceptor: Acceptor, item: Told, sender: str, on: date) -> Told:
    snapshot = acceptor.live.snapshot
    return map_status(item, snapshot.mappings, snapshot.directory.line(sender, on), on)


def own_code(acceptor: Acceptor, agency: str) -> str:
    """The agency's own code, by which the ledger keeps it; as given where nobody has it."""
    on = day_of(acceptor.ledger.clock())
    found = acceptor.live.snapshot.directory.resolve(agency, on).agency
    return agency if found is None else found.code


def _letter(
    body: DossierBody | StepBody, agency: str, code: str, source: Source, text: str
) -> Letter:
    return Letter(body, agency, (), code, Lane.NORMAL, source.media_type, record=text)


async def _content_ref(acceptor: Acceptor, sender: str, record: DossierRecord) -> str:
    """An id made of the content and of what it follows: a record may say again what an earlier one
    said, and two processes that get the same one at once make the same id of it.
    """
    text = record.model_dump_json(by_alias=True)
    current = await acceptor.ledger.dossiers.current(sender, record.code)
    if current is not None and _same("dossier", current.record, text):
        return current.sender_ref
    after = current.message_id if current is not None else ""
    digest = hashlib.sha256(f"{after} {text}".encode()).hexdigest()
    return f"record:{digest}"


async def accept_letter(
    acceptor: Acceptor, letter: Letter, sender: str, ref: str, source: Source, *, derived: bool
) -> Receipt:
    """Commits what has a canonical form; `sender` is the agency's own code.

    The same content in another spelling is a repeat; so is a step whose id the bus derived from
    what it says, whatever else is said of it.
    """
    spool = acceptor.spool()
    try:
        spool.count(source.original)
        await spool.keep(source.original)
        return await acceptor.accept(
            letter,
            spool,
            client=source.client,
            sender_ref=ref,
            trace=source.trace,
            via=source.via,
        )
    except DuplicateMessage:
        ledger = acceptor.ledger
        stored = None if derived else await ledger.dossiers.record_of(sender, ref)
        if not derived and not _same(letter.body.kind, stored, letter.record):
            raise
        receipt = await ledger.receipt_of(sender, ref)
        if receipt is None:
            raise
        return receipt
    finally:
        spool.abort()


def _same(kind: str, one: str | None, other: str | None) -> bool:
    """Whether both tell the same, whatever the bus has since taken a status to mean."""
    if one == other or one is None or other is None:
        return one == other
    match kind:
        case "dossier":
            records = (DossierRecord.model_validate_json(text) for text in (one, other))
            return len({as_told(each).model_dump_json() for each in records}) == 1
        case "step":
            steps = (Step.model_validate_json(text) for text in (one, other))
            return len({as_told(each).model_dump_json() for each in steps}) == 1
        case _:
            return False
