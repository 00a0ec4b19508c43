"""Places for messages being taken in: never more than there are, and nobody has them all."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.gateway.places import Places
from schemas.errors import RateLimited, Unavailable


def test_one_client_gets_half_and_the_next_half_of_the_rest() -> None:
    places = Places(12)
    with ExitStack() as taken:
        for client, most in (("a", 6), ("b", 3), ("c", 2)):
            for _ in range(most):
                taken.enter_context(places.held(client))
            with pytest.raises(RateLimited) as refused, places.held(client):
                pass
            assert refused.value.retry_after
        taken.enter_context(places.held("d"))
        with pytest.raises(Unavailable), places.held("e"):
            pass
    for _ in range(100):  # all were given back, by those who failed as well
        with pytest.raises(ZeroDivisionError), places.held("a"):
            1 / 0  # noqa: B018


@given(st.integers(1, 50), st.lists(st.sampled_from("abcdef"), max_size=200))
def test_who_has_least_is_never_refused_for_what_others_hold(most: int, coming: list[str]) -> None:
    places, held = Places(most), dict.fromkeys("abcdef", 0)
    with ExitStack() as taken:
        for client in coming:
            left = most - sum(held.values())
            try:
                taken.enter_context(places.held(client))
            except Unavailable:
                assert left == 0
            except RateLimited:
                assert held[client] >= left > 0
            else:
                held[client] += 1
                assert sum(held.values()) <= most
