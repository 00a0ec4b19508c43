"""What a round of the rules looks at, made by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bus.engine.live import Snapshot
from bus.ops.alerts.look import Look
from bus.ops.alerts.policy import Thresholds
from routing.directory import Directory
from routing.mapping import MappingTables
from routing.subscription import SubscriptionTable
from routing.table import RouteTable
from schemas.dossier.calendar import WorkingCalendar
from schemas.instant import SECOND, Instant
from schemas.province import Agency, Endpoint

NOW: Instant = 1_790_000_000 * SECOND
HEALTH = "H38.02"


def look(**changes: Any) -> Look:
    """A province where all is well, with `changes`."""
    return replace(_WELL, **changes)


def limits(**changes: Any) -> Thresholds:
    return Thresholds.model_validate(changes)


def ago(seconds: float) -> Instant:
    return NOW - int(seconds * SECOND)


_WELL = Look(
    now=NOW,
    limits=Thresholds(),
    snapshot=Snapshot(
        1,
        Directory(
            [
                Agency(code="H38", name="Tỉnh Lào Cai"),
                Agency(code=HEALTH, name="Sở Y tế", parent="H38", endpoint="so-y-te"),
                Agency(code="G01", name="Bộ A", source="truc"),
            ]
        ),
        RouteTable(()),
        SubscriptionTable(()),
        MappingTables(()),
        {},
        WorkingCalendar(),
        {
            "so-y-te": Endpoint(name="so-y-te", kind="rest-push"),
            "hop-thu": Endpoint(name="hop-thu", kind="mailbox"),
        },
        {},
        {},
        (),
        {},
    ),
    states={},
    polls={},
    backlog=[],
    tallies=[],
    dossiers=[],
    memory={},
    pull_kinds=frozenset({"mailbox"}),
    roles={"gateway": 1, "dispatcher": 1, "worker": 1},
)
