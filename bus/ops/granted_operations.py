"""Whether grants and feeds name operations that their service has: a slip would grant nothing."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Callable, Collection, Iterator, Mapping

from bus.ledger.ledger import Ledger
from bus.ops.province_diff import Plan
from schemas.errors import LedgerUnavailable, LgspError, Text
from schemas.province import Province
from schemas.service import ALL, Feed, Grant, Service

Operations = Callable[[Mapping[str, bytes], str], Collection[str]]
"""Names of a contract's operations, of its documents by name and its main one; raises LgspError."""


async def faults_of_operations(
    ledger: Ledger,
    plan: Plan,
    wanted: Province,
    operations: Operations,
    documents: Mapping[str, bytes],
) -> list[Text]:
    """Of grants and feeds that the plan changes, or whose service it changes.

    `documents`: of contracts that are new, by SHA-256. Raises LedgerUnavailable.
    """
    changed = {(change.kind, change.name) for change in plan.changes}
    touched = {each.name for each in wanted.services if ("service", each.id) in changed}
    named = [
        (kind, each, names)
        for kind, each, names in _named(wanted)
        if (kind, each.name) in changed or each.service in touched
    ]
    known: dict[str, frozenset[str] | None] = {}
    for service in {each.service for _, each, _ in named}:
        versions = [each for each in wanted.services if each.name == service]
        known[service] = await _operations(ledger, versions, operations, documents)
    return [
        _fault(kind, each, name, there)
        for kind, each, names in named
        if (there := known[each.service]) is not None
        for name in names
        if name not in there
    ]


def _named(province: Province) -> Iterator[tuple[str, Grant | Feed, list[str]]]:
    for grant in province.grants:
        if names := [name for name in grant.operations if name != ALL]:
            yield "grant", grant, names
    for feed in province.feeds:
        yield "feed", feed, [feed.operation]


async def _operations(
    ledger: Ledger,
    versions: Collection[Service],
    operations: Operations,
    documents: Mapping[str, bytes],
) -> frozenset[str] | None:
    """Of all versions together; None when a contract cannot be read: others tell of that."""
    found: set[str] = set()
    for service in versions:
        parts = service.contract.documents
        new = {name: documents[digest] for name, digest in parts.items() if digest in documents}
        try:
            old = await ledger.contracts.read({n: d for n, d in parts.items() if n not in new})
            found |= set(await asyncio.to_thread(operations, old | new, service.contract.main))
        except LedgerUnavailable:
            raise
        except LgspError:
            return None
    return frozenset(found)


def _fault(kind: str, each: Grant | Feed, name: str, there: frozenset[str]) -> Text:
    by_small = {known.casefold(): known for known in sorted(there)}
    near = difflib.get_close_matches(name.casefold(), by_small, n=1)
    if near:
        vi, en = f"; gần nhất: {by_small[near[0]]}", f"; the nearest is {by_small[near[0]]}"
    else:
        listed = ", ".join(sorted(there))
        vi, en = f"; có: {listed}", f"; there are: {listed}"
    what = {"grant": ("cấp quyền", "grant"), "feed": ("nhận thay đổi", "feed")}[kind]
    return Text(
        f"{what[0]} {each.name}: dịch vụ {each.service} không có thao tác {name}{vi}",
        f"{what[1]} {each.name}: service {each.service} has no operation {name}{en}",
    )
