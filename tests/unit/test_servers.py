"""How the address of the ledger names several servers."""

from __future__ import annotations

import pytest

from bus.ledger.servers import ledger_url, servers_of
from schemas.errors import ConfigurationError

WHO = "postgresql+asyncpg://lgsp:p%40ss"


@pytest.mark.parametrize(
    ("text", "places"),
    [
        (f"{WHO}@one/lgsp", []),
        (f"{WHO}@/lgsp?host=/run/postgresql", []),
        (f"{WHO}@one,two/lgsp", [("one", 5432), ("two", 5432)]),
        (f"{WHO}@one:6000,two:6001/lgsp?ssl=require", [("one", 6000), ("two", 6001)]),
        (f"{WHO}@[fd00::1]:6000,[fd00::2]/lgsp", [("fd00::1", 6000), ("fd00::2", 5432)]),
        (f"{WHO}@/lgsp?host=one:6000&host=two:6001", [("one", 6000), ("two", 6001)]),
        ("postgresql+asyncpg://one,two/lgsp", [("one", 5432), ("two", 5432)]),
        ("sqlite+aiosqlite:////var/lib/a,b/ledger.db", []),
    ],
)
def test_servers(text: str, places: list[tuple[str, int]]) -> None:
    url = ledger_url(text)
    assert servers_of(url) == places
    if text.startswith(WHO):
        assert (url.username, url.password, url.database) == ("lgsp", "p@ss", "lgsp")


@pytest.mark.parametrize("text", ["nonsense", f"{WHO}@one:x,two/lgsp", f"{WHO}@one,/lgsp"])
def test_what_is_no_address_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        ledger_url(text)
    assert "p%40ss" not in str(refused.value)
