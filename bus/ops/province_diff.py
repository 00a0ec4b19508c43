"""From the configuration in force to the one wanted: what would change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from bus.ledger.config_store import MODELS, Change, Item, Kind, name_of
from bus.ops.province_check import faults_of
from bus.ops.province_files import LISTS, several
from routing.imports import beside
from schemas.province import Endpoint, Province
from schemas.service import Service

_KINDS: tuple[Kind, ...] = (
    "endpoint",
    "agency",
    "route",
    "subscription",
    "mapping",
    "procedure",
    "holidays",
    "service",
    "grant",
    "feed",
    "client",
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What `ConfigStore.apply` would do."""

    changes: tuple[Change, ...]  # by kind, each in order of names

    def declared(self) -> tuple[Change, ...]:
        """Without agencies that a partner's directory brought: 120,000 go with its endpoint."""
        return tuple(change for change in self.changes if not _is_imported(change))

    def counts(self) -> dict[str, int]:
        """How many items are added, changed, removed."""
        counted = Counter(change.action for change in self.changes)
        return {action: counted[action] for action in ("added", "changed", "removed")}


def diff(
    current: Province,
    wanted: Province,
    *,
    check_endpoint: Callable[[Endpoint], list[str]],
    check_service: Callable[[Service], list[str]] = lambda _service: [],
) -> Plan:
    """The changes that lead from one to the other, in a fixed order.

    Agencies that a partner's directory brought are no part of files: they stay, unless what is
    declared has one of their codes, or their endpoint goes.
    `check_endpoint` says what is wrong with an endpoint's kind and configuration, `check_service`
    with a service's contract and sign-on.
    Raises ConfigurationError that lists everything in `wanted` that does not hold together.
    """
    wanted = _with_imported(current, wanted)
    faults = faults_of(wanted, check_endpoint, check_service)
    if faults:
        raise several(faults)
    return Plan(changes_between(current, wanted))


def changes_between(one: Province, other: Province) -> tuple[Change, ...]:
    """By kind, each in order of names; nothing is checked."""
    old, new = _by_name(one), _by_name(other)
    return tuple(
        Change(kind, name, old[kind].get(name), new[kind].get(name))
        for kind in _KINDS
        for name in sorted(old[kind].keys() | new[kind].keys())
        if old[kind].get(name) != new[kind].get(name)
    )


def _is_imported(change: Change) -> bool:
    """Of an agency that a partner's directory brought, and that nobody declares now."""
    return all(getattr(item, "source", None) for item in (change.old, change.new) if item)


def _with_imported(current: Province, wanted: Province) -> Province:
    endpoints = {endpoint.name for endpoint in wanted.endpoints}
    imported = [agency for agency in current.agencies if agency.source in endpoints]
    agencies = (*wanted.agencies, *beside(wanted.agencies, imported))
    return wanted.model_copy(update={"agencies": agencies})


def _by_name(province: Province) -> dict[str, dict[str, Item]]:
    found: dict[str, dict[str, Item]] = {kind: {} for kind in MODELS}
    for key, kind in LISTS.items():
        found[kind] = {name_of(item): item for item in getattr(province, key)}
    return found
