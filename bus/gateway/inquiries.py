"""Look-ups of one dossier at a partner, answered at once: its payment, its letter."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from bus.gateway import describe_flows as describe
from bus.gateway.access import Caller
from bus.gateway.door import BusDoor
from bus.gateway.json_elements import read_values
from bus.gateway.services import Entered, Services, Using
from schemas.errors import Forbidden
from schemas.inquiries import Payment, PaymentInquiry, PostalEvent, Subject

router = APIRouter(prefix="/api/v1/inquiries", tags=["flows"])

Code = Annotated[str, Path(max_length=60, description="mã hồ sơ / code of the dossier")]
Asked = Annotated[
    str | None, Query(max_length=63, description="điểm kết nối / which endpoint, if several can")
]


@router.get("/payment/{code}", **describe.PAYMENT)
async def payment(
    services: Using,
    door: Entered,
    code: Code,
    reference: Annotated[str, Query(max_length=100, description="mã tra cứu thanh toán")],
    endpoint: Asked = None,
) -> Payment:
    inquiry = read_values(PaymentInquiry, {"code": code, "reference": reference})
    await _note(services, door, "payment", inquiry.code)
    return await services.deps.inquirer.payment(inquiry, endpoint)


@router.get("/tracking/{code}", **describe.TRACKING)
async def tracking(
    services: Using, door: Entered, code: Code, endpoint: Asked = None
) -> list[PostalEvent]:
    """Oldest first; nothing when the post has no such order."""
    await _note(services, door, "tracking", code)
    return list(await services.deps.inquirer.track(code, endpoint))


async def _note(services: Services, door: BusDoor, subject: Subject, code: str) -> None:
    """Who asks of whose dossier stands in the journal before anybody is asked. Raises Forbidden."""
    ledger = services.deps.ledger
    handlers = [row.sender for row in await ledger.dossiers.find(code)]
    _require_own(door.caller, code, handlers)
    data: dict[str, object] = {"subject": subject, "code": code}
    await ledger.note("inquired", actor=door.caller.actor, data=data)


def _require_own(caller: Caller, code: str, handlers: list[str]) -> None:
    if not handlers or not caller.reach.issuperset(handlers):
        raise Forbidden(
            f"dossier {code} is not known as one of the agencies this client speaks for",
            vi=f"Hồ sơ {code} không phải của cơ quan mà hệ thống này được nói thay",
            field="code",
        )
