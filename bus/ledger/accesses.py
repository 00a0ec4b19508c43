"""Accesses to personal data through services: who asked about whom, why, and what was seen.

Persons are kept as a keyed hash, so that an access is found by the person and tells no name.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection
from dataclasses import dataclass

import orjson
from sqlalchemy import select

from bus.ledger.database import Database
from bus.ledger.journal import Chain
from bus.ledger.tables import service_access
from bus.ledger.tx import Tx
from schemas.instant import Instant

SUBJECT_KEY = "data-subjects"
"""Name of the secret with which persons are hashed. Whoever changes it cannot find older ones."""

ASKED = "asked"
ANSWERED = "answered"

BEGUN, DONE, READ = "service-asked", "service-answered", "accesses-read"
JOURNALLED = frozenset({BEGUN, DONE, READ})
"""Journal entries about accesses: for those who may look them up, news for nobody."""


def subject_hash(key: bytes, subject: str) -> bytes:
    """HMAC-SHA-256 of an identifier, blanks left out: 12 digits alone could be tried through."""
    return hmac.digest(key, "".join(subject.split()).encode(), hashlib.sha256)


@dataclass(frozen=True, slots=True)
class Access:
    """One call of an operation about people."""

    id: str
    service: str  # name@version
    operation: str
    client: str
    agency: str
    officer: str
    purpose: str
    fields: tuple[str, ...]  # that the caller may see
    subjects: tuple[bytes, ...]  # from subject_hash; none: no one person was named
    trace: str


@dataclass(frozen=True, slots=True)
class AccessRow:
    """As it is kept; `outcome` is "asked" while nothing else is known."""

    id: str
    at: Instant
    service: str
    operation: str
    client: str
    agency: str
    officer: str
    purpose: str
    fields: tuple[str, ...]
    outcome: str
    trace: str


async def asked(tx: Tx, chain: Chain, now: Instant, access: Access) -> None:
    """Before the partner is asked: no access is without its entry, whatever happens then."""
    fields = orjson.dumps(access.fields).decode()
    await _insert(tx, now, access, fields, ASKED, 0, access.subjects or (b"",))
    data = {
        "access": access.id,
        "service": access.service,
        "operation": access.operation,
        "agency": access.agency,
        "officer": access.officer,
        "purpose": access.purpose,
        "fields": access.fields,
        "subjects": [subject.hex() for subject in access.subjects],
        "trace": access.trace,
    }
    chain.add(now, BEGUN, access.client, data)


async def ended(
    tx: Tx,
    chain: Chain,
    now: Instant,
    access: Access,
    *,
    outcome: str,
    fields: Collection[str],
    subjects: Collection[bytes],
) -> None:
    """After it: what was seen, and about whom else (`subjects`, of the reply)."""
    seen = orjson.dumps(sorted(fields)).decode()
    await tx.execute(
        "UPDATE service_access SET outcome = ?, fields = ? WHERE id = ?", outcome, seen, access.id
    )
    others = sorted(set(subjects) - set(access.subjects))
    first = max(len(access.subjects), 1)
    await _insert(tx, now, access, seen, outcome, first, others)
    data = {
        "access": access.id,
        "outcome": outcome,
        "fields": sorted(fields),
        "subjects": [subject.hex() for subject in others],
    }
    chain.add(now, DONE, access.client, data)


async def _insert(
    tx: Tx,
    now: Instant,
    access: Access,
    fields: str,
    outcome: str,
    first: int,
    subjects: Collection[bytes],
) -> None:
    for number, subject in enumerate(subjects, start=first):
        await tx.execute(
            "INSERT INTO service_access (id, number, subject, at, service, operation, client,"
            " agency, officer, purpose, fields, outcome, trace)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            access.id,
            number,
            subject,
            now,
            access.service,
            access.operation,
            access.client,
            access.agency,
            access.officer,
            access.purpose,
            fields,
            outcome,
            access.trace,
        )


_COLUMNS = [service_access.c[name] for name in AccessRow.__dataclass_fields__]


class Accesses:
    """Reading them. Raises LedgerUnavailable."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def find(
        self,
        *,
        subject: bytes | None = None,
        service: str | None = None,
        since: Instant | None = None,
        limit: int = 50,
    ) -> list[AccessRow]:
        """Newest first; without a subject, each access once. `service`: its name."""
        table = service_access
        query = select(*_COLUMNS).order_by(table.c.at.desc(), table.c.id.desc()).limit(limit)
        wanted = table.c.number == 0 if subject is None else table.c.subject == subject
        query = query.where(wanted)
        if service is not None:
            query = query.where(table.c.service.startswith(f"{service}@", autoescape=True))
        if since is not None:
            query = query.where(table.c.at >= since)
        async with self._db.read() as connection:
            rows = await connection.execute(query)
            return [
                AccessRow(**{**row._mapping, "fields": tuple(orjson.loads(row.fields))})  # noqa: SLF001 - SQLAlchemy's public name
                for row in rows
            ]
