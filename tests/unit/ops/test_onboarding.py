"""What is declared for an agency that is being connected."""

from __future__ import annotations

import pytest

from bus.ops.onboarding import Onboarding
from schemas.errors import ConfigurationError, Conflict
from schemas.province import Agency, Client, Endpoint, Province

CURRENT = Province(
    agencies=(
        Agency(code="H38", name="Tỉnh"),
        Agency(code="H38.14", name="Sở Xây dựng (danh bạ)", source="truc", endpoint="truc"),
        Agency(code="H38.19", name="Sở Y tế"),
    ),
    endpoints=(Endpoint(name="truc", kind="vxp"),),
    clients=(Client(id="so-y-te", agencies=("H38.19",)),),
)


def test_everything_stands_beside_what_is_there() -> None:
    wanted = Onboarding(
        code="H38.14",
        name="Sở Xây dựng",
        parent="H38",
        alias="000.00.14.H38",
        endpoint="so-xay-dung",
        kind="mailbox",
        client="so-xay-dung",
        follows="H38.*",
    ).change(CURRENT)
    agency = next(each for each in wanted.agencies if each.code == "H38.14")
    assert (agency.name, agency.source) == ("Sở Xây dựng", None), "no longer the directory's"
    assert [alias.code for alias in agency.aliases] == ["000.00.14.H38"]
    assert [each.name for each in wanted.endpoints] == ["truc", "so-xay-dung"]
    assert wanted.clients[-1].agencies == ("H38.14",)
    assert wanted.subscriptions[0].receivers == ("H38.14",)
    assert len(wanted.agencies) == 3


@pytest.mark.parametrize(
    "taken",
    [
        Onboarding(code="H38.19", name="Sở Y tế"),
        Onboarding(code="H38.20", name="Sở", endpoint="truc", kind="mailbox"),
        Onboarding(code="H38.20", name="Sở", client="so-y-te"),
    ],
)
def test_what_is_declared_is_not_declared_again(taken: Onboarding) -> None:
    with pytest.raises(Conflict):
        taken.change(CURRENT)


def test_every_wrong_field_is_named_in_both_languages() -> None:
    with pytest.raises(ConfigurationError) as error:
        Onboarding(code="Sở Y tế").change(CURRENT)
    for said in error.value.detail:
        assert "code" in said
        assert "name" in said
