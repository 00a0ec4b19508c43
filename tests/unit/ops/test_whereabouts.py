"""Every state of a delivery has its sentence, which says who holds it and who acts."""

from __future__ import annotations

import dataclasses

import pytest

from bus.ledger.records import DeliveryRow, EndpointState
from bus.ops.whereabouts import of_delivery, of_message
from schemas.delivery import DeliveryState
from schemas.message import Lane

S = DeliveryState
ROW = DeliveryRow(
    id=1,
    message_id="m",
    endpoint="so-y-te",
    receivers=("H38.02",),
    order_key="k",
    lane=Lane.NORMAL,
    state=S.QUEUED,
    pull=False,
    head=True,
    attempts=2,
    next_attempt_at=0,
    expires_at=None,
    worker=None,
    maybe_sent=False,
    partner_ref="YT-1",
    code="partner-timeout",
    detail="no answer",
    created_at=0,
    finished_at=0,
)


@pytest.mark.parametrize("state", list(S))
def test_every_state_is_told(state: S) -> None:
    said = of_delivery(dataclasses.replace(ROW, state=state), None)
    for text in said:
        assert "so-y-te" in text
        assert "{" not in text
        assert ";" in text, "where it is; and what now"


def test_why_it_waits() -> None:
    paused = EndpointState("so-y-te", paused=True, pause_reason="bảo trì")
    assert "bảo trì" in of_delivery(ROW, paused).vi
    broken = EndpointState("so-y-te", breaker="open", last_error="refused")
    assert "refused" in of_delivery(ROW, broken).en
    assert "mailbox" in of_delivery(dataclasses.replace(ROW, pull=True), paused).en
    assert "behind" in of_delivery(dataclasses.replace(ROW, head=False), None).en


def test_the_one_that_needs_somebody_speaks_first() -> None:
    rows = [
        dataclasses.replace(ROW, state=S.DELIVERED),
        dataclasses.replace(ROW, state=S.DEAD, endpoint="hong"),
        dataclasses.replace(ROW, state=S.QUEUED),
    ]
    said = of_message(rows, {})
    assert said.en.startswith("The bus holds it, hong")
    assert said.en.endswith("Of 3 receiving systems 1 have it.")
    assert "nobody" in of_message([], {}).en
