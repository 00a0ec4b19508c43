"""Generated provinces that can be written to files and read back."""

from __future__ import annotations

from datetime import date

from hypothesis import strategies as st

from bus.ledger.config_store import Item, name_of, to_province
from schemas.declared import BreakerPolicy
from schemas.dossier.calendar import Limit, Unit
from schemas.dossier.procedure import Procedure
from schemas.province import (
    Agency,
    Alias,
    Client,
    Endpoint,
    Holidays,
    Province,
    RetryPolicy,
    Route,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
TRICKY = st.sampled_from(
    ["no", "1e5", "2025-01-01", "~", "0x1F", "a: b", "#", " x ", "\u0085", "-"]
)
WORDS = TEXT | TRICKY
CODES = st.from_regex(r"H99(\.[0-9A-Z]{1,4}){0,3}|([0-9]{2,3}\.){1,3}H99", fullmatch=True)
NAMES = st.from_regex(r"[a-z0-9][a-z0-9-]{0,8}", fullmatch=True)
DAYS = st.none() | st.dates(date(1990, 1, 1), date(2100, 1, 1))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(-1e300, 1e300) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)
SECONDS = st.floats(0.001, 1e6)

ALIASES = st.builds(Alias, code=CODES, valid_from=DAYS, valid_to=DAYS)
AGENCIES = st.builds(
    Agency,
    code=CODES,
    name=WORDS,
    parent=st.none() | CODES,
    aliases=st.lists(ALIASES, max_size=3).map(tuple),
    endpoint=st.none() | NAMES,
    valid_from=DAYS,
    valid_to=DAYS,
)
RETRIES = st.builds(RetryPolicy, first=SECONDS, cap=SECONDS, max_attempts=st.integers(1, 10**6))
BREAKERS = st.builds(BreakerPolicy, failures=st.integers(1, 99), probe_every=SECONDS)
ENDPOINTS = st.builds(
    Endpoint,
    name=NAMES,
    kind=WORDS,
    title=WORDS,
    config=st.dictionaries(WORDS, JSON, max_size=4),
    concurrency=st.integers(1, 1000),
    retry=RETRIES,
    breaker=BREAKERS,
    expire_after_days=st.none() | SECONDS,
)
ROUTES = st.builds(
    Route,
    name=WORDS,
    priority=st.integers(),
    kinds=st.lists(st.sampled_from(["document", "status"]), max_size=2).map(tuple),
    sender=WORDS,
    action=st.sampled_from(["deliver", "hold", "refuse"]),
    endpoint=st.none() | NAMES,
    reason=WORDS,
)
CLIENTS = st.builds(
    Client,
    id=NAMES,
    title=WORDS,
    agencies=st.lists(CODES, max_size=3).map(tuple),
    rate=SECONDS,
    suspended=st.booleans(),
)

PROCEDURES = st.builds(
    Procedure,
    code=NAMES,
    title=WORDS,
    limit=st.none() | st.builds(Limit, amount=st.integers(0, 99), unit=st.sampled_from(Unit)),
    yields_paper=st.booleans(),
)
HOLIDAYS = st.integers(2000, 2199).flatmap(
    lambda year: st.sets(
        st.dates(date(year, 1, 1), date(year, 12, 31)), min_size=1, max_size=4
    ).map(lambda days: Holidays(year=year, days=tuple(days)[1:], made_up=tuple(days)[:1]))
)


def _some(items: st.SearchStrategy[Item]) -> st.SearchStrategy[list[Item]]:
    return st.lists(items, max_size=4, unique_by=name_of)


PROVINCES: st.SearchStrategy[Province] = st.tuples(
    _some(AGENCIES),
    _some(ENDPOINTS),
    _some(ROUTES),
    _some(PROCEDURES),
    _some(HOLIDAYS),
    _some(CLIENTS),
).map(lambda lists: to_province(item for items in lists for item in items))
