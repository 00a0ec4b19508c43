"""From one configuration to another: changes, and what is refused."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings

from adapters.registry import parse_config
from bus.ledger.config_store import MODELS, Item, name_of, to_province
from bus.ops.province_check import faults_of
from bus.ops.province_diff import diff
from bus.ops.province_files import LISTS, read
from schemas.errors import ConfigurationError
from schemas.province import Agency, Alias, Client, Endpoint, Province, Route
from tests.unit.ops.provinces import PROVINCES

DEMO = Path(__file__).parents[3] / "deploy" / "demo" / "province"
END, START = date(2025, 6, 30), date(2025, 7, 1)


def check_endpoint(endpoint: Endpoint) -> list[str]:
    try:
        parse_config(endpoint.kind, endpoint.config)
    except ConfigurationError as error:
        return [error.detail.en]
    return []


def faults(*items: Item) -> list[str]:
    return [fault.en for fault in faults_of(to_province(items), check_endpoint)]


TOWN = Agency(code="H99", name="Tỉnh", endpoint="tinh")
BOX = Endpoint(name="tinh", kind="mailbox")


def test_the_demo_province_holds_together() -> None:
    plan = diff(Province(), read(DEMO), check_endpoint=check_endpoint)
    assert plan.counts() == {"added": 17, "changed": 0, "removed": 0}
    assert diff(read(DEMO), read(DEMO), check_endpoint=check_endpoint).changes == ()


def test_changes_tell_old_and_new_of_each_field() -> None:
    old = Province(agencies=(TOWN,), endpoints=(BOX, Endpoint(name="cu", kind="mailbox")))
    renamed = TOWN.model_copy(update={"name": "Tỉnh mới", "valid_from": date(2026, 1, 1)})
    new = Province(agencies=(renamed, Agency(code="H99.01", name="Sở", parent="H99")))
    plan = diff(old, new.model_copy(update={"endpoints": (BOX,)}), check_endpoint=check_endpoint)
    assert [(change.action, change.kind, change.name) for change in plan.changes] == [
        ("removed", "endpoint", "cu"),
        ("changed", "agency", "H99"),
        ("added", "agency", "H99.01"),
    ]
    assert plan.changes[1].fields() == {
        "name": ("Tỉnh", "Tỉnh mới"),
        "valid_from": (None, "2026-01-01"),
    }
    assert plan.counts() == {"added": 1, "changed": 1, "removed": 1}


def unattached(province: Province) -> Province:
    """The same items, referring to nothing, so that they always hold together."""
    alone = {"parent": None, "endpoint": None, "aliases": (), "valid_from": None, "valid_to": None}
    route = {"endpoint": None, "sender": "*"}
    return Province(
        agencies=tuple(each.model_copy(update=alone) for each in province.agencies),
        endpoints=province.endpoints,
        routes=tuple(each.model_copy(update=route) for each in province.routes),
        procedures=province.procedures,
        holidays=province.holidays,
        clients=tuple(each.model_copy(update={"agencies": ()}) for each in province.clients),
    )


@settings(deadline=None)
@given(PROVINCES, PROVINCES.map(unattached))
def test_carrying_out_the_changes_leads_to_what_was_wanted(
    current: Province, wanted: Province
) -> None:
    """Held against an independent application of the changes, item by item."""
    kind_of = {model: kind for kind, model in MODELS.items()}
    lists: list[tuple[Item, ...]] = [getattr(current, key) for key in LISTS]
    items = {(kind_of[type(item)], name_of(item)): item for each in lists for item in each}
    for change in diff(current, wanted, check_endpoint=lambda _: []).changes:
        assert items.get((change.kind, change.name)) == change.old != change.new
        if change.new is None:
            del items[change.kind, change.name]
        else:
            items[change.kind, change.name] = change.new
    assert to_province(items.values()) == wanted


@settings(deadline=None)
@given(PROVINCES)
def test_from_nothing_and_back_to_nothing(province: Province) -> None:
    back = diff(province, Province(), check_endpoint=lambda _: [])
    assert all(change.action == "removed" for change in back.changes)
    assert len(back.changes) == sum(len(getattr(province, key)) for key in LISTS)


def test_system_id_of_two_clients_is_named() -> None:
    signing = {"system_id": "SYS-1", "secret": "s"}
    assert faults(*(Client.model_validate({"id": name} | signing) for name in "ab")) == [
        "system_id SYS-1 is declared for 2 clients"
    ]


def test_what_refers_to_nothing_is_named() -> None:
    assert faults(
        TOWN,
        Agency(code="H99.01", name="Sở", parent="H99.77"),
        Route(name="r", endpoint="xa"),
        Client(id="c", agencies=("H99.88",)),
    ) == [
        "agency H99: endpoint tinh is not declared",
        "agency H99.01: parent H99.77 is not declared",
        "route r: endpoint xa is not declared",
        "client c: agency H99.88 is not declared",
    ]


def test_the_refusal_lists_every_fault_in_both_languages() -> None:
    wanted = to_province([TOWN, Client(id="c", agencies=("H99.88",))])
    with pytest.raises(ConfigurationError) as refused:
        diff(Province(), wanted, check_endpoint=check_endpoint)
    vi, en = refused.value.detail
    assert en.splitlines()[1] == "client c: agency H99.88 is not declared"
    assert vi.splitlines() == [
        "cơ quan H99: điểm kết nối tinh chưa được khai báo",
        "hệ thống c: cơ quan H99.88 chưa được khai báo",
    ]


def test_an_unknown_adapter_and_a_wrong_configuration_are_refused() -> None:
    (telex,) = faults(Endpoint(name="a", kind="telex"))
    assert telex.startswith("endpoint a: Unknown adapter kind 'telex'")
    (push,) = faults(Endpoint(name="b", kind="rest-push", config={"url": "ftp://x", "secret": "s"}))
    assert push.startswith("endpoint b: ")
    assert "url" in push


def test_agencies_in_a_circle_are_refused() -> None:
    (fault,) = faults(
        Agency(code="H99.1", name="a", parent="H99.2"),
        Agency(code="H99.2", name="b", parent="H99.1"),
    )
    assert "H99.1 → H99.2 → H99.1" in fault


def test_a_pattern_that_cannot_be_read_is_refused() -> None:
    (fault,) = faults(Route(name="r", receiver="H99.*.01"))
    assert fault.startswith("route r: pattern 'H99.*.01'")


def test_a_period_that_ends_before_it_begins_is_refused() -> None:
    backwards = {"valid_from": START, "valid_to": END}
    assert faults(
        Agency(code="H99", name="x", aliases=(Alias(code="1.H99", **backwards),)),
        Agency(code="H98", name="y", **backwards),
    ) == ["agency H98: H98 ends before it begins", "agency H99: 1.H99 ends before it begins"]


@pytest.mark.parametrize(
    ("first", "second", "collides"),
    [
        ({}, {}, True),
        ({"valid_to": END}, {"valid_from": START}, False),
        ({"valid_to": START}, {"valid_from": START}, True),
        ({"valid_from": START}, {"valid_to": END}, False),
        ({"valid_to": END}, {}, True),
    ],
)
def test_an_alias_may_pass_on_but_never_mean_two(
    first: dict[str, date], second: dict[str, date], collides: bool
) -> None:
    one = Agency(code="H99.1", name="a", aliases=(Alias(code="9.H99", **first),))
    other = Agency(code="H99.2", name="b", aliases=(Alias(code="9.H99", **second),))
    assert bool(faults(one, other)) is collides
    # the same against an agency that has the code as its own
    own = Agency(code="9.H99", name="c", **second)
    assert bool(faults(one, own)) is collides


def test_an_alias_of_an_agency_that_is_gone_collides_with_nobody() -> None:
    gone = Agency(code="H99.1", name="a", aliases=(Alias(code="9.H99"),), valid_to=END)
    heir = Agency(code="H99.2", name="b", aliases=(Alias(code="9.H99"),), valid_from=START)
    assert faults(gone, heir) == []


def test_an_agency_may_repeat_its_own_alias() -> None:
    twice = (Alias(code="9.H99", valid_to=END), Alias(code="9.H99"))
    assert faults(Agency(code="H99.1", name="a", aliases=twice)) == []
