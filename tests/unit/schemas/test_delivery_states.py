"""The table of a delivery's life: complete, and every state can be reached."""

from __future__ import annotations

from schemas.delivery import CANCELLABLE, OPEN, READY, REPLAYABLE, TERMINAL, TRANSITIONS
from schemas.delivery import DeliveryState as S


def test_the_table_names_every_state() -> None:
    assert set(TRANSITIONS) == set(S)
    assert set(S) == OPEN | TERMINAL
    assert not OPEN & TERMINAL


def test_every_state_is_reached_from_the_first_ones() -> None:
    reached = {S.QUEUED, S.HELD}
    while more := set().union(*(TRANSITIONS[state] for state in reached)) - reached:
        reached |= more
    assert reached == set(S)


def test_the_sets_agree_with_the_table() -> None:
    assert {s for s in S if S.SENDING in TRANSITIONS[s]} == READY
    assert all(S.QUEUED in TRANSITIONS[state] for state in REPLAYABLE)
    assert S.SENDING not in CANCELLABLE
