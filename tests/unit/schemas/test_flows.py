"""Items beside dossiers: what identifies them, what they need."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from schemas.flows import ITEMS, Answer, PostalOrder, Rating, Shares, Submission
from tests.unit.adapters.dvcqg.samples import record

PARTY = {"name": "A", "address": "B", "phone": "0", "province": "10"}
CODE = "H99.19-261124-0001"


def test_a_new_submission_is_known_by_its_dossier_a_supplement_by_its_number_or_content() -> None:
    given = record(CODE)
    new = Submission(record=given)
    assert new.identity == Submission(record=record(CODE, note="khác")).identity
    numbered = Submission(event="supplement", record=given, id="7")
    assert numbered.identity != new.identity
    assert (new.key, numbered.key) == (CODE, CODE)
    derived = Submission(event="supplement", record=given)
    assert derived.identity == Submission(event="supplement", record=record(CODE)).identity
    other = Submission(event="supplement", record=record(CODE, note="khác"))
    assert other.identity != derived.identity
    assert Submission.model_validate_json(derived.model_dump_json(by_alias=True)) == derived


def test_an_order_needs_both_parties_and_its_cancellation_neither() -> None:
    order = PostalOrder.model_validate({"code": CODE, "sender": PARTY, "receiver": PARTY})
    cancelled = PostalOrder.model_validate({"code": CODE, "action": 2})
    assert order.key == cancelled.key
    assert order.identity != cancelled.identity
    with pytest.raises(ValidationError, match="sender and receiver"):
        PostalOrder.model_validate({"code": CODE, "sender": PARTY})


def test_percentages_must_be_whole() -> None:
    with pytest.raises(ValidationError, match="100"):
        Shares(very_satisfied=60, satisfied=35, unsatisfied=6)


def test_an_answer_goes_to_the_portal_it_names_else_to_subscribers() -> None:
    facts: dict[str, Any] = {
        "question": "1",
        "agency": "H99.19",
        "agencyName": "UBND xã",
        "content": "Có",
        "answeredAt": "2026-11-25T08:00:00+07:00",
    }
    assert Answer.model_validate(facts).receivers == ()
    assert Answer.model_validate(facts | {"to": "000.00.00.G22"}).receivers == ("000.00.00.G22",)


def test_an_item_shows_nothing_personal_of_itself() -> None:
    facts = {"id": "1", "code": CODE, "agency": "H99.19", "score": 1, "comment": "Ví Dụ"}
    rating = Rating.model_validate(facts | {"at": "2026-11-25T08:00:00+07:00"})
    assert "Ví Dụ" not in repr(rating)


def test_every_item_is_found_by_its_kind() -> None:
    assert all(ITEMS[kind].kind == kind for kind in ITEMS)
