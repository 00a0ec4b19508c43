"""Keys and tokens on every database."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from bus.ledger.database import Database
from bus.ledger.identities import Identities, digest
from bus.ledger.tables import access_token, client_key
from schemas.errors import LedgerUnavailable
from schemas.instant import SECOND, Instant

NOW: Instant = 1_790_000_000 * SECOND
CLIENT = "van-phong"


@pytest.fixture
def identities(db: Database) -> Identities:
    return Identities(db)


async def new_key(identities: Identities, client: str = CLIENT, *, end: int | None = None) -> str:
    """`end`: seconds from NOW."""
    expires_at = None if end is None else NOW + end * SECOND
    return await identities.add_key(client, expires_at=expires_at, clock=lambda: NOW)


async def new_token(identities: Identities, key: str, lifetime: float = 60) -> str:
    key_hash = await identities.check_key(CLIENT, key, now=NOW)
    assert key_hash is not None
    return await identities.issue_token(CLIENT, key_hash, lifetime=lifetime, now=NOW)


async def test_a_key_opens_only_for_its_client(identities: Identities) -> None:
    key = await new_key(identities)
    assert await identities.check_key(CLIENT, key, now=NOW) == digest(key)
    assert await identities.check_key("so-y-te", key, now=NOW) is None
    assert await identities.check_key(CLIENT, key[:-1], now=NOW) is None
    assert await identities.check_key(CLIENT, "", now=NOW) is None


async def test_neither_key_nor_token_is_stored(db: Database, identities: Identities) -> None:
    key = await new_key(identities)
    token = await new_token(identities, key)
    async with db.read() as connection:
        keys = (await connection.execute(select(client_key))).mappings().all()
        tokens = (await connection.execute(select(access_token))).mappings().all()
    stored = repr([*keys, *tokens])
    assert key not in stored
    assert token not in stored
    assert (keys[0]["hash"], tokens[0]["hash"]) == (digest(key), digest(token))
    assert key.startswith(keys[0]["hint"])
    assert len(keys[0]["hint"]) < len(key) / 2


async def test_keys_and_tokens_are_never_the_same_twice(identities: Identities) -> None:
    keys = {await new_key(identities) for _ in range(20)}
    assert len(keys) == 20
    assert min(map(len, keys)) >= 6 + 43  # prefix and 256 bits in base64url


async def test_a_key_ends_at_its_time(identities: Identities) -> None:
    key = await new_key(identities, end=10)
    assert await identities.check_key(CLIENT, key, now=NOW + 10 * SECOND - 1)
    assert await identities.check_key(CLIENT, key, now=NOW + 10 * SECOND) is None


async def test_rotation_lets_both_keys_open_until_the_old_one_ends(identities: Identities) -> None:
    old, new = await new_key(identities), await new_key(identities)
    hint = next(row.hint for row in await identities.keys(CLIENT) if old.startswith(row.hint))
    overlap = NOW + 3600 * SECOND
    assert await identities.retire_key(CLIENT, hint, at=overlap) == 1
    assert await identities.check_key(CLIENT, old, now=overlap - 1)
    assert await identities.check_key(CLIENT, old, now=overlap) is None
    assert await identities.check_key(CLIENT, new, now=overlap)


async def test_retiring_never_prolongs_and_spares_other_clients(identities: Identities) -> None:
    key = await new_key(identities, end=10)
    hint = (await identities.keys(CLIENT))[0].hint
    assert await identities.retire_key(CLIENT, hint, at=NOW + 99 * SECOND) == 0
    assert await identities.retire_key("so-y-te", hint, at=NOW) == 0
    assert (await identities.keys(CLIENT))[0].expires_at == NOW + 10 * SECOND
    assert await identities.check_key(CLIENT, key, now=NOW)


async def test_a_token_is_found_until_it_ends(identities: Identities) -> None:
    token = await new_token(identities, await new_key(identities), lifetime=60)
    found = await identities.find_token(token, now=NOW)
    assert found is not None
    assert (found.client, found.expires_at) == (CLIENT, NOW + 60 * SECOND)
    assert await identities.find_token(token, now=NOW + 60 * SECOND) is None
    assert await identities.find_token(token + "x", now=NOW) is None


async def test_a_token_does_not_outlive_its_key(identities: Identities) -> None:
    key = await new_key(identities, end=10)
    token = await new_token(identities, key, lifetime=60)
    found = await identities.find_token(token, now=NOW)
    assert found is not None
    assert found.expires_at == NOW + 10 * SECOND
    await identities.retire_key(CLIENT, (await identities.keys(CLIENT))[0].hint, at=NOW + 1)
    assert await identities.find_token(token, now=NOW + 1) is None


async def test_purging_forgets_what_has_ended_and_nothing_else(identities: Identities) -> None:
    lasting, ending = await new_key(identities), await new_key(identities, end=10)
    token = await new_token(identities, lasting, lifetime=3600)
    await new_token(identities, lasting, lifetime=5)
    await new_token(identities, ending, lifetime=3600)
    later = NOW + 20 * SECOND
    assert await identities.purge(now=later) == 2  # a token of 5 seconds, a key of 10
    assert len(await identities.keys(CLIENT)) == 1
    assert await identities.find_token(token, now=later)
    assert await identities.purge(now=later) == 0


async def test_a_database_that_is_away_is_told_as_such() -> None:
    identities = Identities(Database("postgresql+asyncpg://x:y@127.0.0.1:1/none"))
    with pytest.raises(LedgerUnavailable):
        await identities.check_key(CLIENT, "key", now=NOW)
