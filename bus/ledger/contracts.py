"""Documents of services' contracts in the ledger, by their SHA-256; schemas known by URL."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping

from sqlalchemy import Table, select
from sqlalchemy.dialects import postgresql, sqlite

from bus.ledger.database import Database
from bus.ledger.tables import contract_document, schema_copy
from schemas.errors import NotFound


class Contracts:
    """Every method raises LedgerUnavailable when the database does not answer."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def keep(self, documents: Collection[bytes]) -> list[str]:
        """Makes them durable; their SHA-256 in hex, in order. What is there stays."""
        names = [hashlib.sha256(content).hexdigest() for content in documents]
        rows = dict(zip(names, documents, strict=True))
        if rows:
            query = self._insert(contract_document).on_conflict_do_nothing()
            values = [{"sha256": name, "content": content} for name, content in rows.items()]
            async with self._db.write() as connection:
                await connection.execute(query, values)
        return names

    async def read(self, names: Mapping[str, str]) -> dict[str, bytes]:
        """Contents under the keys of `names`, whose values are digests. Raises NotFound."""
        wanted = set(names.values())
        query = select(contract_document.c.sha256, contract_document.c.content)
        async with self._db.read() as connection:
            rows = await connection.execute(query.where(contract_document.c.sha256.in_(wanted)))
            found = {row.sha256: bytes(row.content) for row in rows}
        missing = [name for name, digest in names.items() if digest not in found]
        if missing:
            raise NotFound(
                f"documents of the contract are not in the ledger: {', '.join(missing)}",
                vi=f"Sổ cái không có tệp đặc tả: {', '.join(missing)}",
            )
        return {name: found[digest] for name, digest in names.items()}

    async def keep_schema(self, location: str, content: bytes) -> None:
        """The operator's copy of the schema that contracts name by that URL."""
        (digest,) = await self.keep([content])
        query = self._insert(schema_copy).values(location=location, sha256=digest)
        query = query.on_conflict_do_update(
            index_elements=[schema_copy.c.location], set_={"sha256": digest}
        )
        async with self._db.write() as connection:
            await connection.execute(query)

    async def schemas(self) -> dict[str, bytes]:
        """The operator's copies by URL."""
        async with self._db.read() as connection:
            rows = await connection.execute(select(schema_copy.c.location, schema_copy.c.sha256))
            names = {row.location: row.sha256 for row in rows}
        return await self.read(names)

    def _insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        return sqlite.insert(table) if self._db.is_sqlite else postgresql.insert(table)
