"""Generated provinces: trees of agencies with aliases, endpoints of every kind, routes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from hypothesis import strategies as st

from routing.decision import Decision
from routing.directory import Directory
from routing.router import Facts, route
from routing.table import RouteTable
from schemas.adapter import Manifest
from schemas.province import Agency, Alias, Endpoint, Route

ON = date(2026, 3, 2)
PAST, FUTURE = date(2020, 1, 1), date(2030, 1, 1)


def manifest(kind: str, **changed: Any) -> Manifest:
    plain = {"mode": "push", "fan_out": "per-receiver", "looks_up": False}
    return Manifest(kind=kind, title_vi="", title_en="", **(plain | changed))


MANIFESTS = {
    "push": manifest("push"),
    "pull": manifest("pull", mode="pull"),
    "axis": manifest("axis", fan_out="grouped"),
}


@dataclass(frozen=True)
class World:
    """Everything a decision is made of."""

    agencies: tuple[Agency, ...]
    routes: tuple[Route, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()

    def decide(self, sender: str, *receivers: str, kind: str = "document") -> Decision:
        return route(
            Facts(kind, sender, receivers),
            Directory(self.agencies),
            RouteTable(self.routes),
            {endpoint.name: endpoint for endpoint in self.endpoints},
            MANIFESTS,
            on=ON,
        )

    def changed(self, **changed: Any) -> World:
        return replace(self, **changed)


CODES = [f"H99.{n:02d}" for n in range(8)]
OLD_CODES = [f"000.00.{n:02d}.H99" for n in range(8)]
ENDPOINTS = ["e-push", "e-pull", "e-axis", "e-alien", "e-gone"]  # the last is never declared
KINDS = dict(zip(ENDPOINTS, ["push", "pull", "axis", "alien"], strict=False))
PATTERNS = ["*", "H99.*", "*.H99", "H9*", *CODES[:4], *OLD_CODES[:4]]
DAYS = st.sampled_from([None, PAST, FUTURE])

_aliases = st.builds(Alias, code=st.sampled_from(OLD_CODES), valid_from=DAYS, valid_to=DAYS)


@st.composite
def agencies(draw: st.DrawFn) -> tuple[Agency, ...]:
    """A forest: a parent is always an agency of lower number, or none."""
    codes = draw(st.lists(st.sampled_from(CODES), unique=True, min_size=1).map(sorted))
    found: list[Agency] = []
    for number, code in enumerate(codes):
        parent = draw(st.sampled_from([None, *codes[:number]]))
        endpoint = draw(st.sampled_from([None, *ENDPOINTS]))
        found.append(
            Agency(
                code=code,
                name=f"Sở {code}",
                parent=parent,
                endpoint=endpoint,
                aliases=tuple(draw(st.lists(_aliases, max_size=2))),
                valid_from=draw(DAYS),
                valid_to=draw(DAYS),
            )
        )
    return tuple(found)


_routes = st.builds(
    Route,
    name=st.sampled_from("abcdefgh"),
    priority=st.integers(1, 3),
    kinds=st.sampled_from([(), ("document",), ("status",)]),
    sender=st.sampled_from(PATTERNS),
    receiver=st.sampled_from(PATTERNS),
    action=st.sampled_from(["deliver", "hold", "refuse"]),
    endpoint=st.sampled_from([None, *ENDPOINTS]),
    reason=st.sampled_from(["", "đang sáp nhập"]),
)

worlds = st.builds(
    World,
    agencies=agencies(),
    routes=st.lists(_routes, max_size=4, unique_by=lambda each: each.name).map(tuple),
    endpoints=st.just(tuple(Endpoint(name=name, kind=kind) for name, kind in KINDS.items())),
)
addressed = st.one_of(
    st.sampled_from([*CODES, *OLD_CODES, " h99.01 ", "G22.99", "", "không phải mã"]),
    st.text(max_size=12),
)
receivers = st.lists(addressed, max_size=6)
