"""Decisions, case by case."""

from __future__ import annotations

from datetime import date

import pytest

from routing.decision import Decision, PlannedDelivery, ReceiverDecision, explain_lines
from schemas.province import Agency, Alias, Endpoint, Route
from tests.unit.routing.provinces import World

PROVINCE = World(
    agencies=(
        Agency(code="H99", name="UBND tỉnh", endpoint="tinh"),
        Agency(code="H99.01", name="Văn phòng", parent="H99"),
        Agency(
            code="H99.14",
            name="Sở Xây dựng",
            parent="H99",
            endpoint="so-xd",
            aliases=(Alias(code="000.00.14.H99", valid_from=date(2016, 6, 1)),),
        ),
        Agency(code="G22", name="Văn phòng Chính phủ", endpoint="truc-quoc-gia"),
        Agency(code="G12", name="Bộ Tài chính", endpoint="truc-quoc-gia"),
        Agency(code="K01", name="Chưa kết nối"),
        Agency(code="H98", name="Tỉnh cũ", endpoint="tinh", valid_to=date(2025, 6, 30)),
    ),
    endpoints=(
        Endpoint(name="tinh", kind="pull"),
        Endpoint(name="so-xd", kind="push"),
        Endpoint(name="truc-quoc-gia", kind="axis"),
    ),
)


def only(decision: Decision) -> ReceiverDecision:
    (receiver,) = decision.receivers
    return receiver


def with_route(**fields: object) -> World:
    return PROVINCE.changed(routes=(Route.model_validate({"name": "r", **fields}),))


def test_an_agency_gets_it_over_its_own_endpoint() -> None:
    decision = PROVINCE.decide("H99", "H99.14")
    receiver = only(decision)
    assert (receiver.outcome, receiver.endpoint, receiver.inherited_from) == (
        "deliver",
        "so-xd",
        None,
    )
    assert decision.planned() == (PlannedDelivery("so-xd", ("H99.14",), pull=False, held=""),)


def test_an_endpoint_is_inherited_from_the_agency_above() -> None:
    decision = PROVINCE.decide("H99.14", "H99.01")
    assert only(decision).inherited_from == "H99"
    assert decision.planned() == (PlannedDelivery("tinh", ("H99.01",), pull=True, held=""),)


def test_the_former_code_reaches_the_agency_and_is_named() -> None:
    receiver = only(PROVINCE.decide("H99", " 000.00.14.h99"))
    assert (receiver.agency, receiver.alias_used) == ("H99.14", "000.00.14.H99")
    assert receiver.addressed == " 000.00.14.h99"


def test_an_agency_addressed_twice_gets_one_delivery() -> None:
    decision = PROVINCE.decide("H99", "000.00.14.H99", "H99.14", "H99.14")
    receiver = only(decision)
    assert receiver.also_addressed == ("H99.14", "H99.14")
    assert "3 times" in receiver.steps[0][1]
    assert len(decision.planned()) == 1


def test_receivers_of_a_grouped_endpoint_share_one_delivery() -> None:
    planned = PROVINCE.decide("H99", "G22", "H99.14", "G12").planned()
    assert [(plan.endpoint, plan.receivers) for plan in planned] == [
        ("truc-quoc-gia", ("G22", "G12")),
        ("so-xd", ("H99.14",)),
    ]


def test_a_held_receiver_leaves_its_group() -> None:
    world = with_route(receiver="G12", action="hold", reason="đang đổi mã")
    planned = world.decide("H99", "G22", "G12").planned()
    assert [(plan.receivers, bool(plan.held)) for plan in planned] == [
        (("G22",), False),
        (("G12",), True),
    ]
    assert "đang đổi mã" in planned[1].held


@pytest.mark.parametrize(
    ("code", "outcome", "word"),
    [
        ("H99.99", "unknown", "not in the directory"),
        ("H98", "unknown", "out of force after 2025-06-30"),
        ("K01", "unroutable", "neither K01"),
    ],
)
def test_who_cannot_be_reached_is_told_why(code: str, outcome: str, word: str) -> None:
    decision = PROVINCE.decide("H99", code)
    receiver = only(decision)
    assert receiver.outcome == outcome
    assert word in receiver.steps[-1][1]
    assert decision.planned() == ()


def test_a_route_refuses() -> None:
    decision = with_route(sender="H99.*", receiver="G*", action="refuse", reason="qua tỉnh").decide(
        "H99.14", "G22"
    )
    receiver = only(decision)
    assert (receiver.outcome, receiver.route, receiver.endpoint) == ("refused", "r", None)
    assert "qua tỉnh" in receiver.steps[-1][0]
    assert decision.planned() == ()


def test_a_route_sends_over_another_endpoint() -> None:
    receiver = only(with_route(receiver="H99.01", endpoint="so-xd").decide("H99", "H99.01"))
    assert (receiver.outcome, receiver.endpoint, receiver.inherited_from) == (
        "deliver",
        "so-xd",
        None,
    )


def test_a_route_without_endpoint_keeps_the_directory_and_stops_later_routes() -> None:
    world = PROVINCE.changed(
        routes=(
            Route(name="allow", priority=1, receiver="H99.14"),
            Route(name="hold-all", priority=2, action="hold"),
        )
    )
    assert only(world.decide("H99", "H99.14")).outcome == "deliver"
    assert only(world.decide("H99", "H99.01")).outcome == "hold"


def test_equal_priority_goes_by_name() -> None:
    refuse, hold = Route(name="a", action="refuse"), Route(name="b", action="hold")
    for routes in ((refuse, hold), (hold, refuse)):
        assert only(PROVINCE.changed(routes=routes).decide("H99", "G22")).outcome == "refused"


def test_a_route_for_documents_leaves_statuses_alone() -> None:
    world = with_route(kinds=["document"], action="hold")
    assert only(world.decide("H99", "G22", kind="document")).outcome == "hold"
    assert only(world.decide("H99", "G22", kind="status")).outcome == "deliver"


@pytest.mark.parametrize("pattern", ["H99.14", "000.00.14.H99", "*.14.H99", "H99.*", "*.H99"])
def test_a_pattern_fits_every_code_of_the_agency(pattern: str) -> None:
    world = with_route(receiver=pattern, action="hold")
    for written in ("H99.14", "000.00.14.H99"):
        assert only(world.decide("G22", written)).outcome == "hold"
    assert only(world.decide("G22", "H99")).outcome == "deliver"


def test_a_pattern_fits_the_sender_by_alias_too() -> None:
    world = with_route(sender="H99.14", action="hold")
    assert only(world.decide("000.00.14.H99", "G22")).outcome == "hold"
    assert only(world.decide("H99.01", "G22")).outcome == "deliver"


def test_an_undeclared_endpoint_holds_instead_of_losing() -> None:
    world = PROVINCE.changed(endpoints=())
    (plan,) = world.decide("H99", "H99.14").planned()
    assert plan.endpoint == "so-xd"
    assert "not declared" in plan.held


def test_an_adapter_this_bus_lacks_holds_instead_of_losing() -> None:
    world = PROVINCE.changed(endpoints=(Endpoint(name="so-xd", kind="telex"),))
    (plan,) = world.decide("H99", "H99.14").planned()
    assert "telex" in plan.held


def test_the_explanation_reads_in_both_languages() -> None:
    decision = PROVINCE.decide("H99", "H99.01", "X99")
    assert explain_lines(decision, "vi") == [
        "H99.01: chuyển → tinh",
        "  1. H99.01: Văn phòng",
        "  2. qua điểm kết nối tinh của cơ quan cấp trên H99",
        "X99: không rõ cơ quan",
        "  1. X99 không có trong danh bạ",
    ]
    assert "  2. over endpoint tinh, inherited from H99" in explain_lines(decision, "en")


def test_a_decision_of_a_later_version_is_still_read() -> None:
    text = PROVINCE.decide("H99", "H99.14").to_json().replace('{"kind"', '{"new":1,"kind"')
    assert Decision.from_json(text) == PROVINCE.decide("H99", "H99.14")


def test_what_is_no_decision_is_refused() -> None:
    with pytest.raises(ValueError, match="receivers"):
        Decision.from_json('{"kind":"document"}')
