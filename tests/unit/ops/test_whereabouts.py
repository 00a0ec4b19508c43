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
    for text in said.said:
        assert "so-y-te" in text
        assert "{" not in text
        assert ";" in text, "where it is; and what now"
        assert "no answer" not in text, "what the partner wrote stands apart"
    assert said.quoted.vi in {"", "« no answer »"}


def test_our_sentence_says_why_and_the_partners_words_stand_apart() -> None:
    said, quoted = of_delivery(dataclasses.replace(ROW, state=S.DEAD), None)
    assert said.vi.startswith("Trục giữ, chưa tới so-y-te (đối tác không trả lời kịp);")
    assert quoted == ("« no answer »", "« no answer »")
    withdrawn = dataclasses.replace(ROW, state=S.CANCELLED, code=None, detail="gửi nhầm")
    said, quoted = of_delivery(withdrawn, None)
    assert said.vi == "Đã thu lại trước khi tới so-y-te; không gửi nữa."
    assert quoted.vi == "« gửi nhầm »"


def test_why_it_waits() -> None:
    paused = EndpointState("so-y-te", paused=True, pause_reason="bảo trì")
    assert of_delivery(ROW, paused).quoted.vi == "« bảo trì »"
    broken = EndpointState("so-y-te", breaker="open", last_error="partner-unavailable: refused")
    said, quoted = of_delivery(ROW, broken)
    assert "(không kết nối được hệ thống đối tác)" in said.vi
    assert quoted.en == "« refused »"
    assert "mailbox" in of_delivery(dataclasses.replace(ROW, pull=True), paused).said.en
    assert "behind" in of_delivery(dataclasses.replace(ROW, head=False), None).said.en


def test_the_one_that_needs_somebody_speaks_first() -> None:
    rows = [
        dataclasses.replace(ROW, state=S.DELIVERED),
        dataclasses.replace(ROW, state=S.DEAD, endpoint="hong"),
        dataclasses.replace(ROW, state=S.QUEUED),
    ]
    said = of_message(rows, {}).said
    assert said.en.startswith("The bus holds it, hong")
    assert said.en.endswith("Of 3 receiving systems 1 have it.")
    assert "nobody" in of_message([], {}).said.en
