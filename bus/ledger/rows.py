"""Order of columns that both backends of the hot path share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bus.ledger.records import Acceptance, Claimed, Receipt
from schemas.message import Body, DossierBody, ItemBody, Lane, RatingBody, StepBody


def message_row(acceptance: Acceptance) -> tuple[Any, ...]:
    """The columns of `message`, in the order of the INSERT statements of both backends."""
    m = acceptance.message
    body = m.body
    return (
        m.id,
        m.sender,
        m.sender_ref,
        acceptance.client,
        body.kind,
        " ".join(m.receivers),
        *_named(body),
        m.order_key,
        m.lane.value,
        m.accepted_at,
        m.expires_at,
        m.sha256,
        m.size,
        m.media_type,
        m.trace,
        m.model_dump_json(),
        acceptance.decision,
        acceptance.content,
        acceptance.record,
    )


def _named(body: Body) -> tuple[str, str]:
    """What it is found by: the document's id and số/ký hiệu, the dossier's two numbers, what an
    item is about.
    """
    match body:
        case DossierBody():
            return body.code, body.nation_code
        case StepBody() | RatingBody():
            return body.code, ""
        case ItemBody():
            return body.code, body.identity
        case _:
            return body.document_id, body.code


def claimed_row(row: Sequence[Any]) -> Claimed:
    """From the columns that CLAIM returns, the same in both backends."""
    return Claimed(
        id=row[0],
        endpoint=row[1],
        receivers=tuple(row[2].split(" ")),
        order_key=row[3],
        lane=Lane(row[4]),
        attempt=row[5],
        strikes=row[6],
        maybe_sent=bool(row[7]),
        first_attempt_at=row[8],
        message_id=row[9],
        sender=row[10],
        kind=row[11],
        media_type=row[12],
        size=row[13],
        sha256=row[14],
        trace=row[15],
        accepted_at=row[16],
        content=row[17],
        record=row[18],
    )


def repeated(row: Sequence[Any]) -> Receipt:
    """The receipt of a message that was accepted before, from the columns of `receipts`."""
    message_id, sender, sender_ref, sha256, accepted_at, decision = row
    return Receipt(message_id, sender, sender_ref, sha256, accepted_at, decision, duplicate=True)
