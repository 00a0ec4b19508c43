"""What pages of figures have to show: documents, dossiers and calls of a small province."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

import uuid_utils

from bus.ledger import usage
from bus.ledger.accesses import ANSWERED, Access, subject_hash
from bus.ledger.config_store import Change
from bus.ledger.records import About, Acceptance, Finish, Planned
from bus.ops.metrics import Metrics
from schemas import instant
from schemas.adapter import Outcome, Result
from schemas.delivery import DeliveryState
from schemas.dossier import DossierRecord, Step
from schemas.errors import PartnerLacksDossier, RateLimited
from schemas.exchange import Event
from schemas.maintenance import Maintenance
from schemas.message import DossierBody, Lane, Message, StatusBody, StepBody
from schemas.service import Contract, Grant, Service
from schemas.vietnam import VIETNAM, day_of
from tests.integration.cli_harness import HEALTH, HOME_AFFAIRS, OFFICE, WARD, Traffic
from tests.integration.dossier_harness import record, step

PORTAL = "cong-quoc-gia"
SUBJECT_KEY = "key of subjects"
PERSON = "001099000001"
LATE, SOON, DONE, OTHERS = (
    "H38.02-261102-0001",
    "H38.02-261102-0002",
    "H38.02-261102-0003",
    "H38.03-261102-0001",
)


async def documents(traffic: Traffic) -> str:
    """Unread, refused, asked back and overdue ones, all to HEALTH; the id of the unread one."""
    unread = await traffic.send(HEALTH, document="vb-chua-doc")
    await traffic.delivered(unread)
    refused = await traffic.send(HEALTH, document="vb-tu-choi")
    await traffic.delivered(refused)
    await _told(traffic, Event.REFUSAL, "vb-tu-choi", HEALTH)
    taken = await traffic.send(HEALTH, document="vb-lay-lai")
    await traffic.delivered(taken)
    await _told(traffic, Event.ACCEPTANCE, "vb-lay-lai", HEALTH)
    await _told(traffic, Event.RECALL, "vb-lay-lai", OFFICE)
    yesterday = day_of(instant.now()) - timedelta(days=1)
    await traffic.send(HEALTH, HOME_AFFAIRS, document="vb-qua-han", due=yesterday)
    return unread


async def _told(traffic: Traffic, event: Event, document: str, sender: str) -> None:
    """A status, as receiver or as sender of the document."""
    to = OFFICE if sender == HEALTH else HEALTH
    about = About(event, OFFICE, (HEALTH,), document, "", "", instant.now())
    body = StatusBody(document_id=document, code="", status=event.value)
    message = _message(f"{event}-{document}", sender, (to,), body)
    planned = (Planned("van-phong", (to,), pull=True),)
    decision = '{"receivers":[]}'
    await traffic.ledger.accept(
        Acceptance(message, planned, decision, "van-phong", b"x", (), frozenset(), (about,))
    )


def _message(
    ref: str, sender: str, receivers: tuple[str, ...], body: DossierBody | StepBody | StatusBody
) -> Message:
    return Message(
        id=str(uuid_utils.uuid7()),
        sender=sender,
        sender_ref=ref,
        receivers=receivers,
        order_key=ref,
        lane=Lane.NORMAL,
        accepted_at=instant.now(),
        sha256=hashlib.sha256(ref.encode()).hexdigest(),
        size=1,
        media_type="application/json",
        trace="",
        body=body,
    )


async def dossiers(traffic: Traffic) -> str:
    """A late one whose step the portal cannot take, one soon due, one finished; one of others.

    Returns the month in which all of them were received.
    """
    now = datetime.now(VIETNAM)
    begun = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    await _dossier(traffic, LATE, HEALTH, begun, due=begun + timedelta(seconds=1))
    await _dossier(traffic, SOON, HEALTH, begun, due=now + timedelta(hours=2))
    await _dossier(traffic, DONE, HEALTH, begun, due=now + timedelta(days=9))
    await _dossier(traffic, OTHERS, HOME_AFFAIRS, begun, due=begun + timedelta(seconds=1))
    told = await _step(traffic, step(LATE, 1, at=begun, department="Phòng Một cửa"), HEALTH)
    outcome = Outcome(Result.REJECTED, code=PartnerLacksDossier.code)
    await _finish(traffic, told, DeliveryState.HELD, outcome)
    ended = await _step(traffic, step(DONE, 1, at=begun, status=9), HEALTH)
    await _finish(traffic, ended, DeliveryState.DELIVERED, Outcome(Result.DELIVERED))
    return f"{begun:%Y-%m}"


async def _dossier(
    traffic: Traffic, code: str, agency: str, at: datetime, *, due: datetime
) -> None:
    whole = record(code, agency=agency, received=at, due=due)
    body = DossierBody(
        code=code, procedure="TT.01", agency=agency, channel=2, status=2, received=at, due=due
    )
    message_id = await _accept(traffic, code, agency, body, whole)
    await _finish(traffic, message_id, DeliveryState.DELIVERED, Outcome(Result.DELIVERED))


async def _step(traffic: Traffic, item: Step, agency: str) -> str:
    body = StepBody(code=item.code, step_id=item.id, status=item.status, at=item.at)
    return await _accept(traffic, f"{item.code} {item.id}", agency, body, item)


async def _accept(
    traffic: Traffic,
    ref: str,
    agency: str,
    body: DossierBody | StepBody,
    item: DossierRecord | Step,
) -> str:
    receipt = await traffic.ledger.accept(
        Acceptance(
            _message(ref, agency, (), body),
            (Planned(PORTAL, ("000.00.00.G22",)),),
            '{"receivers":[]}',
            "mot-cua",
            b"x",
            record=item.model_dump_json(),
        )
    )
    return receipt.message_id


async def _finish(
    traffic: Traffic, message_id: str, state: DeliveryState, outcome: Outcome
) -> None:
    rows = await traffic.ledger.queries.deliveries_of(message_id)
    (claimed,) = await traffic.ledger.claim([row.id for row in rows])
    await traffic.ledger.finish(Finish(claimed, state, outcome))


async def accesses(traffic: Traffic) -> None:
    """HEALTH has asked about PERSON and was answered; WARD was not."""
    subject = subject_hash(SUBJECT_KEY.encode(), PERSON)
    for agency, client, outcome in (
        (HEALTH, "phan-mem-y-te", ANSWERED),
        (WARD, "phan-mem-xa", "partner-timeout"),
    ):
        access = Access(
            id=str(uuid_utils.uuid7()),
            service="cong-dan@1",
            operation="TraCuu",
            client=client,
            agency=agency,
            officer="CB-01",
            purpose="G15-TP110",
            fields=("*",),
            subjects=(subject,),
            trace="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        )
        await traffic.ledger.access_asked(access)
        seen = ("CongDan/HoVaTen",) if outcome == ANSWERED else ()
        await traffic.ledger.access_ended(access, outcome=outcome, fields=seen)


async def services(traffic: Traffic) -> None:
    """A service that is to be away tomorrow, called by HEALTH and by WARD, both granted."""
    (main,) = await traffic.ledger.contracts.keep([b"<wsdl/>"])
    now = datetime.now(VIETNAM)
    away = Maintenance(
        begins=now + timedelta(days=1),
        ends=now + timedelta(days=1, hours=2),
        announced=now.date(),
        reason="nâng cấp",
    )
    service = Service(
        name="cong-dan",
        title_vi="Cơ sở dữ liệu mẫu",
        contract=Contract(main="a.wsdl", documents={"a.wsdl": main}),
        caller_rate=5,
        maintenance=(away,),
    )
    grants = [
        Grant(name=name, agency=agency, service="cong-dan", operations=("TraCuu",))
        for name, agency in (("cho-y-te", HEALTH), ("cho-noi-vu", HOME_AFFAIRS))
    ]
    changes = [
        Change("service", service.id, None, service),
        *(Change("grant", each.name, None, each) for each in grants),
    ]
    expected = await traffic.ledger.config.revision()
    await traffic.ledger.config.apply(changes, expected=expected, actor="test", reason="test")
    metrics = Metrics()
    for agency, client, outcome, seconds in (
        (HEALTH, "client:phan-mem-y-te", ANSWERED, 0.1),
        (HEALTH, "client:phan-mem-y-te", ANSWERED, 0.3),
        (HEALTH, "client:phan-mem-y-te", "partner-timeout", 20.0),
        (HEALTH, "client:phan-mem-y-te", RateLimited.code, 0.0),
        (HOME_AFFAIRS, "client:phan-mem-noi-vu", ANSWERED, 0.2),
    ):
        metrics.service_called(service.id, "TraCuu", outcome, seconds, client=client, agency=agency)
    counted = metrics.usage.drain()
    await traffic.ledger.act(lambda tx, chain, at: usage.count(tx, chain, at, counted))
