"""How the declared configuration changes: proposed, looked at, put in force, taken back.

The command line and the console change it in this way alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass

import orjson
from pydantic import ValidationError

from bus.ledger.config_store import MODELS, Item, RevisionRow, name_of, to_province
from bus.ledger.ledger import Ledger
from bus.ops.granted_operations import Operations, faults_of_operations
from bus.ops.province_diff import Plan, diff
from bus.ops.province_files import LISTS, several
from schemas.errors import ConfigurationError, Conflict, InvalidRequest, NotFound
from schemas.province import Agency, Endpoint, Mapping, Province
from schemas.service import Service

EVENT = "configuration-changed"
"""In the journal: who, why, and the revision that holds what."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What is wanted, and what leads there from what was in force when it was made."""

    revision: int
    current: Province
    wanted: Province
    plan: Plan


async def propose(
    ledger: Ledger,
    change: Callable[[Province], Province],
    *,
    check_endpoint: Callable[[Endpoint], list[str]] = lambda _endpoint: [],
    check_service: Callable[[Service, Province], list[str]] = lambda _service, _current: [],
    operations: Operations | None = None,
    documents: MappingOf[str, bytes] | None = None,
) -> Proposal:
    """`change` gets what is in force and returns what is wanted. The checks are those of `diff`;
    `operations` tells those a contract has, `documents` are the new contracts' by SHA-256.

    Raises ConfigurationError that lists everything that does not hold together.
    """
    revision = await ledger.config.revision()
    current = await ledger.config.province()

    def work() -> Proposal:
        wanted = change(current)
        plan = diff(
            current,
            wanted,
            check_endpoint=check_endpoint,
            check_service=lambda service: check_service(service, current),
        )
        return Proposal(revision, current, wanted, plan)

    proposal = await asyncio.to_thread(work)  # a national directory takes seconds
    if operations is not None:
        faults = await faults_of_operations(
            ledger, proposal.plan, proposal.wanted, operations, documents or {}
        )
        if faults:
            raise several(faults)
    return proposal


def with_mappings(entries: Collection[Mapping]) -> Callable[[Province], Province]:
    """These entries beside the others, in place of those of the same name."""

    def change(current: Province) -> Province:
        known = {each.name: each for each in current.mappings}
        known |= {each.name: each for each in entries}
        return current.model_copy(update={"mappings": tuple(known.values())})

    return change


def in_place_of(shown: Province, edited: Province) -> Callable[[Province], Province]:
    """What was shown to a person is replaced by what they made of it; all else stays.

    The change raises Conflict when something shown is no longer as it was, or something new has
    the name of what was not shown: nothing is overwritten unseen.
    """

    def change(current: Province) -> Province:
        update: dict[str, tuple[Item, ...]] = {}
        for key in LISTS:
            before = {name_of(item): item for item in getattr(shown, key)}
            after = {name_of(item): item for item in getattr(edited, key)}
            touched = {n for n in before.keys() | after.keys() if before.get(n) != after.get(n)}
            now = {name_of(item): item for item in getattr(current, key)}
            for name in sorted(touched):
                if now.get(name) != before.get(name):
                    raise _meanwhile(name)
                now.pop(name, None)
                if name in after:
                    now[name] = after[name]
            if touched:
                update[key] = tuple(now.values())
        return current.model_copy(update=update)

    return change


def _meanwhile(name: str) -> Conflict:
    return Conflict(
        f"{name} is declared already, or somebody else has changed it: open the page anew",
        vi=f"{name} đã được khai báo, hoặc người khác vừa sửa: hãy mở lại trang",
    )


async def put_in_force(
    ledger: Ledger,
    proposal: Proposal,
    *,
    actor: str,
    reason: str,
    documents: Collection[bytes] = (),
) -> int:
    """The revision that holds it; `documents` are those of new services' contracts.

    Raises InvalidRequest without a reason, Conflict when somebody else changed it meanwhile.
    """
    if not reason.strip():
        raise InvalidRequest(
            "a change needs a reason, which is kept", vi="Thay đổi cần có lý do; lý do được lưu lại"
        )
    changes = proposal.plan.changes
    if not changes:
        return proposal.revision
    await ledger.contracts.keep(documents)
    revision = await ledger.config.apply(
        changes, expected=proposal.revision, actor=actor, reason=reason
    )
    data = {"revision": revision, "reason": reason, **proposal.plan.counts()}
    await ledger.note(EVENT, actor=actor, data=data)
    return revision


async def as_of(ledger: Ledger, revision: int) -> Province:
    """What was declared while that revision was the latest; what a directory brought is left out.

    Raises NotFound, and ConfigurationError when this version cannot read what stood there.
    """
    latest = await ledger.config.revision()
    if not 0 <= revision <= latest:
        raise NotFound(
            f"there is no revision {revision}", vi=f"Không có phiên bản cấu hình {revision}"
        )
    rows = await ledger.config.revisions(limit=latest - revision, since=revision)
    current = await ledger.config.province()
    if await ledger.config.revision() != latest:
        raise Conflict(
            "the configuration has just changed: look again",
            vi="Cấu hình vừa thay đổi: hãy xem lại",
        )
    return await asyncio.to_thread(_before, current, rows)


def _before(province: Province, rows: Sequence[RevisionRow]) -> Province:
    """The province before all these revisions, newest first, were applied."""
    items: dict[tuple[str, str], Item] = {
        (kind, name_of(item)): item
        for key, kind in LISTS.items()
        for item in getattr(province, key)
    }
    for row in rows:
        for change in reversed(row.changes):
            key = (change["kind"], change["name"])
            if change["action"] == "added":
                items.pop(key, None)
                continue
            old = change.get("old")
            if old is None:
                fields = {field: before for field, (before, _) in change["fields"].items()}
                old = items[key].model_dump(mode="json") | fields
            items[key] = _read(*key, old)
    declared = (item for item in items.values() if not (isinstance(item, Agency) and item.source))
    return to_province(declared)


def _read(kind: str, name: str, old: object) -> Item:
    try:
        return MODELS[kind].model_validate_json(orjson.dumps(old))
    except (KeyError, ValidationError):
        raise ConfigurationError(
            f"{kind} {name} as it stood then cannot be read by this version",
            vi=f"{kind} {name}: phiên bản phần mềm này không đọc được khai báo lúc đó",
        ) from None  # pydantic's own error repeats the values
