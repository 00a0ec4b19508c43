"""The life of a document at a receiver: what an event may change, whatever the order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.exchange import (
    TERMINAL,
    TRANSITIONS,
    Event,
    ExchangeState,
    Progress,
    Recall,
    advance,
)

S, E = ExchangeState, Event
EVENTS = st.lists(st.tuples(st.sampled_from(Event), st.integers(0, 1000)), max_size=20)
ONWARD = (E.DELIVERED, E.INBOX, E.ACCEPTANCE, E.ASSIGNMENT, E.PROGRESS)


def play(*events: Event, start: Progress | None = None) -> Progress:
    progress = start or Progress()
    for at, event in enumerate(events, start=1):
        progress = advance(progress, event, at)
    return progress


def test_every_state_is_in_the_table() -> None:
    assert TRANSITIONS.keys() == set(ExchangeState)


def test_the_way_of_a_document_that_is_dealt_with() -> None:
    done = play(E.DELIVERED, E.INBOX, E.ACCEPTANCE, E.ASSIGNMENT, E.PROGRESS, E.FINISH)
    assert done == Progress(S.FINISHED, arrived_at=1, accepted_at=3, finished_at=6)


def test_steps_may_be_left_out() -> None:
    assert play(E.ACCEPTANCE, E.PROGRESS).state is S.PROCESSING


@given(EVENTS, EVENTS)
def test_a_terminal_state_is_never_undone(
    before: list[tuple[Event, int]], after: list[tuple[Event, int]]
) -> None:
    progress = Progress()
    for event, at in before:
        progress = advance(progress, event, at)
    if progress.state in TERMINAL:
        for event, at in after:
            assert advance(progress, event, at).state is progress.state
            progress = advance(progress, event, at)


@given(st.permutations([(event, 10 * n) for n, event in enumerate(ONWARD)]))
def test_late_and_regressing_statuses_come_to_the_same(order: list[tuple[Event, int]]) -> None:
    """Whatever the order of arrival: the same state, and the earliest time told for each mark."""
    progress = Progress()
    for event, at in order:
        progress = advance(progress, event, at)
    assert progress == Progress(S.PROCESSING, arrived_at=0, accepted_at=20)


@given(EVENTS)
def test_a_repeated_event_changes_nothing_more(events: list[tuple[Event, int]]) -> None:
    progress = Progress()
    for event, at in events:
        progress = advance(progress, event, at)
        if event is not E.RECALL:
            assert advance(progress, event, at) == progress


def test_a_refusal_after_work_has_begun_is_kept_and_changes_nothing() -> None:
    assert play(E.ACCEPTANCE, E.ASSIGNMENT, E.REFUSAL).state is S.ASSIGNED
    assert play(E.INBOX, E.REFUSAL).state is S.REFUSED


@pytest.mark.parametrize(
    ("answer", "state", "recall"),
    [
        (E.AGREEMENT, S.RECALLED, Recall.AGREED),
        (E.DISAGREEMENT, S.PROCESSING, Recall.REFUSED),
    ],
)
def test_a_recall_waits_for_its_answer(answer: Event, state: ExchangeState, recall: Recall) -> None:
    asked = play(E.PROGRESS, E.RECALL)
    assert (asked.state, asked.recall) == (S.PROCESSING, Recall.ASKED)
    answered = play(answer, start=asked)
    assert (answered.state, answered.recall) == (state, recall)


def test_an_agreement_nobody_asked_for_changes_nothing() -> None:
    """15 also answers an update: it must not take the document away."""
    assert play(E.ACCEPTANCE, E.AGREEMENT).state is S.ACCEPTED


def test_what_was_withdrawn_before_it_left_is_agreed_by_itself() -> None:
    gone = play(E.RECALL, E.WITHDRAWN)
    assert (gone.state, gone.recall) == (S.CANCELLED, Recall.AGREED)
