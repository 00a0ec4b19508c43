"""What a message means for the documents that are followed: worked out before its commit."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from bus.engine.live import Snapshot
from bus.ledger.exchange import NEW, REPLACEMENT
from bus.ledger.records import About
from routing.decision import Decision, ReceiverDecision, RoutingOutcome
from schemas.exchange import Event
from schemas.instant import Instant, from_datetime
from schemas.message import DocumentBody, Message, Reference, StatusBody
from schemas.vietnam import VIETNAM, day_of

_RELATIONS = {
    "recalls": Event.RECALL,
    "updates": Event.UPDATE,
    "replaces": Event.REPLACEMENT,
}
_STATUSES = {event.value: event for event in Event if event.value.isdigit()}
_LEAVES = frozenset({RoutingOutcome.DELIVER, RoutingOutcome.HOLD})


class Following(NamedTuple):
    """For `bus.ledger.records.Acceptance`."""

    follows: tuple[str, ...] = ()
    reports: frozenset[str] = frozenset()
    about: tuple[About, ...] = ()


def following(message: Message, decision: Decision, snapshot: Snapshot) -> Following:
    if isinstance(message.body, StatusBody):
        return Following(about=_of_status(message, message.body, decision))
    if isinstance(message.body, DocumentBody):
        return _of_document(message, message.body, decision, snapshot)
    return Following()


def _of_document(
    message: Message, body: DocumentBody, decision: Decision, snapshot: Snapshot
) -> Following:
    about = tuple(
        _of_reference(message, each, decision, snapshot)
        for each in body.references
        if each.relation in _RELATIONS
    )
    if body.business not in {NEW, REPLACEMENT}:
        return Following(about=about)
    leaving = [each for each in decision.receivers if each.agency and each.outcome in _LEAVES]
    return Following(
        follows=tuple(each.agency for each in leaving if each.agency),
        reports=frozenset(
            each.agency for each in leaving if each.agency and _bus_reports(each, snapshot)
        ),
        about=about,
    )


def _bus_reports(receiver: ReceiverDecision, snapshot: Snapshot) -> bool:
    endpoint = snapshot.endpoints.get(receiver.endpoint or "")
    return endpoint is not None and not endpoint.reports_arrival


def _of_reference(
    message: Message, reference: Reference, decision: Decision, snapshot: Snapshot
) -> About:
    receivers = [_own(code, message.accepted_at, snapshot) for code in reference.receivers]
    if not receivers:
        receivers = [each.agency or each.addressed for each in decision.receivers]
    return About(
        event=_RELATIONS[reference.relation],
        sender=message.sender,
        receivers=tuple(dict.fromkeys(receivers)),
        document_id=reference.document_id,
        code=reference.code,
        promulgated=reference.promulgated.isoformat() if reference.promulgated else "",
        at=message.accepted_at,
    )


def _own(code: str, at: Instant, snapshot: Snapshot) -> str:
    agency = snapshot.directory.resolve(code, day_of(at)).agency
    return agency.code if agency else code


def _of_status(message: Message, body: StatusBody, decision: Decision) -> tuple[About, ...]:
    """A status names the document's sender in ResponseFor; 13 (lấy lại) names its receiver."""
    event = _STATUSES.get(body.status)
    if event is None or not decision.receivers:
        return ()
    other = decision.receivers[0].agency or decision.receivers[0].addressed
    recall = event is Event.RECALL
    return (
        About(
            event=event,
            sender=message.sender if recall else other,
            receivers=(other if recall else message.sender,),
            document_id=body.document_id,
            code=body.code,
            promulgated=body.promulgated.isoformat() if body.promulgated else "",
            at=_instant(body.timestamp, message.accepted_at),
        ),
    )


def _instant(told: datetime | None, otherwise: Instant) -> Instant:
    """Packets write local time without a zone."""
    return otherwise if told is None else from_datetime(told.replace(tzinfo=VIETNAM))
