"""Declared configuration in the ledger: items, and a gapless counter of revisions.

An item keeps its row after removal (without a body), so that a reader who knows revision N learns
everything since from the rows with a higher one. Each revision touches at least one item.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import orjson
import sqlalchemy.exc
from pydantic import ValidationError
from sqlalchemy import func, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from bus.ledger.database import Database
from bus.ledger.tables import config_item, config_revision
from schemas import instant
from schemas.dossier.procedure import Procedure
from schemas.errors import ConfigurationError, Conflict
from schemas.instant import Clock, Instant
from schemas.province import (
    Agency,
    Client,
    Endpoint,
    Holidays,
    Province,
    Route,
    Subscription,
)
from schemas.province import (
    Mapping as MappedCode,
)
from schemas.service import Feed, Grant, Service

Kind = Literal[
    "agency",
    "endpoint",
    "route",
    "subscription",
    "mapping",
    "procedure",
    "holidays",
    "service",
    "grant",
    "feed",
    "client",
]
Item = (
    Agency
    | Endpoint
    | Route
    | Subscription
    | MappedCode
    | Procedure
    | Holidays
    | Service
    | Grant
    | Feed
    | Client
)

MODELS: Mapping[str, type[Item]] = MappingProxyType(
    {
        "endpoint": Endpoint,
        "agency": Agency,
        "route": Route,
        "subscription": Subscription,
        "mapping": MappedCode,
        "procedure": Procedure,
        "holidays": Holidays,
        "service": Service,
        "grant": Grant,
        "feed": Feed,
        "client": Client,
    }
)
"""Every kind of item and its model, in the order in which people read a change."""


def name_of(item: Item) -> str:
    """What identifies an item among those of its kind."""
    match item:
        case Agency():
            return item.code
        case Client() | Service():
            return item.id
        case _:
            return item.name


def to_body(item: Item) -> str:
    """The JSON that is stored: what was declared, without defaults.

    An older process of a rolling upgrade thus reads every item that uses nothing new.
    """
    return item.model_dump_json(exclude_defaults=True)


@dataclass(frozen=True, slots=True)
class ConfigItem:
    """One item as stored."""

    kind: str
    name: str
    body: str | None  # JSON; none: removed
    revision: int  # that last touched it

    def parse(self) -> Item | None:
        """The item; none when it is removed.

        Raises ConfigurationError when this version cannot read it.
        """
        if self.body is None:
            return None
        model = MODELS.get(self.kind)
        if model is None:
            raise ConfigurationError(
                f"unknown kind of configuration: {self.kind} {self.name}",
                vi=f"loại cấu hình không được biết: {self.kind} {self.name}",
            )
        try:
            return model.model_validate_json(self.body)
        except ValidationError as error:
            faults = "; ".join(
                f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"
                for fault in error.errors(include_input=False, include_url=False)
            )
            raise ConfigurationError(
                f"{self.kind} {self.name} cannot be read by this version: {faults}",
                vi=f"{self.kind} {self.name}: phiên bản này không đọc được: {faults}",
            ) from None  # pydantic's own error repeats the values


@dataclass(frozen=True, slots=True)
class Change:
    """One item added (`old` none), changed, or removed (`new` none)."""

    kind: Kind
    name: str
    old: Item | None
    new: Item | None

    @property
    def action(self) -> Literal["added", "changed", "removed"]:
        if self.old is None:
            return "added"
        return "removed" if self.new is None else "changed"

    def fields(self) -> dict[str, tuple[Any, Any]]:
        """Old and new value (as in JSON) of each field that differs; of a changed item only."""
        if self.old is None or self.new is None:
            return {}
        old, new = self.old.model_dump(mode="json"), self.new.model_dump(mode="json")
        return {field: (old[field], new[field]) for field in old if old[field] != new[field]}


@dataclass(frozen=True, slots=True)
class RevisionRow:
    """One applied set of changes: who, when, why, what."""

    revision: int
    at: Instant
    actor: str
    reason: str
    changes: tuple[dict[str, Any], ...]  # action, kind, name, fields (changed) or old (removed)


class ConfigStore:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def revision(self) -> int:
        """The latest revision; 0 while nothing was ever applied."""
        async with self._db.read() as connection:
            return await _latest(connection)

    async def items(self, *, since: int = 0) -> list[ConfigItem]:
        """Items touched after revision `since`, removed ones included, as of one moment."""
        query = (
            select(config_item)
            .where(config_item.c.revision > since)
            .order_by(config_item.c.kind, config_item.c.name)
        )
        async with self._db.read() as connection:
            rows = await connection.execute(query)
            return [ConfigItem(row.kind, row.name, row.body, row.revision) for row in rows]

    async def province(self) -> Province:
        """Everything in force, in order of names.

        Raises ConfigurationError when an item cannot be read by this version.
        """
        items = await self.items()
        # 120,000 agencies of a national directory would hold up everything else for seconds
        return await asyncio.to_thread(lambda: to_province(item.parse() for item in items))

    async def apply(
        self,
        changes: Sequence[Change],
        *,
        expected: int,
        actor: str,
        reason: str,
        clock: Clock = instant.now,
    ) -> int:
        """Makes all changes in one transaction and returns the new revision.

        Nothing to change makes no revision.
        Raises Conflict when the configuration is no longer at revision `expected`: someone else
        applied in between, so the difference must be looked at anew.
        """
        audited, bodies = await asyncio.to_thread(_prepared, changes)  # a directory has 120,000
        async with self._db.write() as connection:
            latest = await _latest(connection)
            if latest != expected:
                raise _moved_on(expected)
            if not changes:
                return latest
            revision = expected + 1
            # The revision goes first: of two transactions at once the second stops here.
            row = {
                "revision": revision,
                "at": clock(),
                "actor": actor,
                "reason": reason,
                "changes": audited,
            }
            await _insert_revision(connection, row)
            rows = [row | {"revision": revision} for row in bodies]
            await self._write_items(connection, rows)
        return revision

    async def _write_items(
        self, connection: AsyncConnection, rows: Sequence[Mapping[str, object]]
    ) -> None:
        dialect = sqlite if self._db.is_sqlite else postgresql
        upsert = dialect.insert(config_item)
        upsert = upsert.on_conflict_do_update(
            index_elements=[config_item.c.kind, config_item.c.name],
            set_={"body": upsert.excluded.body, "revision": upsert.excluded.revision},
        )
        await connection.execute(upsert, rows)

    async def revisions(
        self, limit: int = 20, *, since: int = 0, before: int | None = None
    ) -> list[RevisionRow]:
        """Newest first, after revision `since`; `before`: the last one of the page before."""
        c = config_revision.c
        query = select(config_revision).where(c.revision > since)
        if before is not None:
            query = query.where(c.revision < before)
        query = query.order_by(c.revision.desc()).limit(limit)
        async with self._db.read() as connection:
            return [
                RevisionRow(r.revision, r.at, r.actor, r.reason, tuple(orjson.loads(r.changes)))
                for r in await connection.execute(query)
            ]


def to_province(items: Iterable[Item | None]) -> Province:
    """Items of any kind gathered and put in order of names; none is skipped."""
    present = sorted((item for item in items if item is not None), key=name_of)
    return Province(
        agencies=tuple(item for item in present if isinstance(item, Agency)),
        endpoints=tuple(item for item in present if isinstance(item, Endpoint)),
        routes=tuple(item for item in present if isinstance(item, Route)),
        subscriptions=tuple(item for item in present if isinstance(item, Subscription)),
        mappings=tuple(item for item in present if isinstance(item, MappedCode)),
        procedures=tuple(item for item in present if isinstance(item, Procedure)),
        holidays=tuple(item for item in present if isinstance(item, Holidays)),
        services=tuple(item for item in present if isinstance(item, Service)),
        grants=tuple(item for item in present if isinstance(item, Grant)),
        feeds=tuple(item for item in present if isinstance(item, Feed)),
        clients=tuple(item for item in present if isinstance(item, Client)),
    )


async def _latest(connection: AsyncConnection) -> int:
    latest = await connection.scalar(select(func.max(config_revision.c.revision)))
    return 0 if latest is None else int(latest)


async def _insert_revision(connection: AsyncConnection, row: dict[str, Any]) -> None:
    try:
        await connection.execute(insert(config_revision), [row])
    except sqlalchemy.exc.IntegrityError as error:
        raise _moved_on(row["revision"] - 1) from error


def _prepared(changes: Sequence[Change]) -> tuple[str, list[dict[str, Any]]]:
    """JSON for the history, and the rows without their revision."""
    audited = orjson.dumps([_audited(change) for change in changes]).decode()
    rows = [
        {
            "kind": change.kind,
            "name": change.name,
            "body": None if change.new is None else to_body(change.new),
        }
        for change in changes
    ]
    return audited, rows


def _audited(change: Change) -> dict[str, Any]:
    """Enough to tell the whole history: what an addition brought is found in what came after."""
    entry: dict[str, Any] = {"action": change.action, "kind": change.kind, "name": change.name}
    if change.action == "changed":
        entry["fields"] = change.fields()
    if change.old is not None and change.new is None:
        entry["old"] = change.old.model_dump(mode="json", exclude_defaults=True)
    return entry


def _moved_on(expected: int) -> Conflict:
    return Conflict(
        f"the configuration is no longer at revision {expected}: plan again, then apply",
        vi=f"cấu hình không còn ở phiên bản {expected}: xem lại thay đổi rồi áp dụng lại",
    )
