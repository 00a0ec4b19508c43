"""Reconciliation: every injected discrepancy is found, and none that is not there."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from schemas.dossier import DossierStatus
from schemas.dossier.reconcile import Fault, Finding, Remedy, Seen, Side, reconcile
from schemas.vietnam import VIETNAM

NOON = datetime(2026, 8, 4, 12, tzinfo=VIETNAM)
BEFORE = NOON - timedelta(days=1)
SEEN = Seen(DossierStatus.PROCESSING, BEFORE, 4, {"procedure": "1.000656", "due": "2026-08-10"})
OLDER = replace(SEEN, status=DossierStatus.RECEIVED, changed=BEFORE - timedelta(hours=1), steps=2)

Lists = tuple[dict[str, Seen], dict[str, Seen], dict[str, Seen]]


def drop(side: int) -> Callable[[Lists, str], None]:
    return lambda lists, code: lists[side].pop(code) and None


def put(side: int, seen: Seen) -> Callable[[Lists, str], None]:
    return lambda lists, code: lists[side].update({code: seen})


def lacking_here(lists: Lists, code: str) -> None:
    for side in (1, 2):
        lists[side].pop(code)


def older_here(lists: Lists, code: str) -> None:
    for side in (1, 2):
        lists[side][code] = OLDER


def extra_here(lists: Lists, code: str) -> None:
    lists[0].pop(code)


def extra_there(lists: Lists, code: str) -> None:
    for side in (0, 1):
        lists[side].pop(code)


DUE = replace(SEEN, facts={**SEEN.facts, "due": "2026-08-11"})
REFUSED = replace(SEEN, status=DossierStatus.REFUSED)
INJECTED: list[tuple[Callable[[Lists, str], None], Side, Fault, Remedy, tuple[str, ...]]] = [
    (drop(2), Side.PORTAL, Fault.MISSING, Remedy.SEND, ()),
    (put(2, OLDER), Side.PORTAL, Fault.STALE, Remedy.SEND, ()),
    (put(2, DUE), Side.PORTAL, Fault.DIFFERING, Remedy.SEND, ("due",)),
    (put(2, REFUSED), Side.PORTAL, Fault.DIFFERING, Remedy.REPORT, ("status",)),
    (put(2, replace(SEEN, steps=3)), Side.PORTAL, Fault.DIFFERING, Remedy.REPORT, ("steps",)),
    (put(2, replace(SEEN, steps=5)), Side.PORTAL, Fault.DIFFERING, Remedy.REPORT, ("steps",)),
    (extra_there, Side.PORTAL, Fault.EXTRA, Remedy.REPORT, ()),
    (extra_here, Side.LEDGER, Fault.EXTRA, Remedy.REPORT, ()),
    (lacking_here, Side.LEDGER, Fault.MISSING, Remedy.FETCH, ()),
    (older_here, Side.LEDGER, Fault.STALE, Remedy.FETCH, ()),
]


def test_a_thousand_injected_discrepancies_are_found_and_no_others() -> None:
    chance = random.Random(4)
    codes = [f"H99.1-260804-{n:05d}" for n in range(10_000)]
    lists: Lists = ({}, {}, {})
    for code in codes:
        for side in lists:
            side[code] = SEEN
    expected = set()
    wrong = set(chance.sample(codes, 1000))
    for code in sorted(wrong):
        inject, side, fault, remedy, fields = chance.choice(INJECTED)
        inject(lists, code)
        expected.add(Finding(code, side, fault, remedy, fields))
    for code in chance.sample(sorted(set(codes) - wrong), 500):  # on their way: no discrepancy
        lists[1][code] = replace(SEEN, pending=True, changed=BEFORE + timedelta(minutes=1))
    found = list(reconcile(*lists, as_of=NOON))
    assert {fault for _, _, fault, _, _ in INJECTED} == set(Fault)
    assert set(found) == expected
    assert len(found) == len(set(found))


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [(2, 9, Fault.STALE), (4, 10, Fault.STALE), (9, 4, Fault.DIFFERING), (3, 4, Fault.DIFFERING)],
)
def test_a_side_that_tells_statuses_only_is_judged_by_the_life_cycle(
    old: int, new: int, fault: Fault
) -> None:
    ledger, portal = Seen(DossierStatus(new), BEFORE, 4), Seen(DossierStatus(old))
    found = list(reconcile({}, {"a": ledger}, {"a": portal}, as_of=NOON))
    assert [f.fault for f in found if f.side is Side.PORTAL] == [fault]


def test_a_portal_that_only_knows_whether_it_has_a_dossier() -> None:
    both = {"a": SEEN, "b": SEEN}
    found = list(reconcile(both, both, {"a": Seen()}, as_of=NOON))
    assert found == [Finding("b", Side.PORTAL, Fault.MISSING, Remedy.SEND)]
    assert not list(reconcile(both, both, None, as_of=NOON))


def test_what_changed_while_the_lists_were_taken_waits() -> None:
    newer = replace(SEEN, changed=NOON)
    assert not list(reconcile({"a": newer}, {"a": SEEN}, None, as_of=NOON))
    later = reconcile({"a": newer}, {"a": SEEN}, None, as_of=NOON + timedelta(hours=1))
    assert [f.fault for f in later] == [Fault.DIFFERING]  # same steps at another time
