"""Invented dossiers are lifelike, and the same by seed."""

from __future__ import annotations

from collections import Counter
from datetime import date

from adapters.onestop.stories import SERVICES, Desk, Story, Teller
from schemas.dossier import DossierRecord, DossierStatus
from schemas.dossier.life import strange

DESKS = (Desk("H99.132", "UBND xã Mẫu"), Desk("000.00.19.H99", "Sở Mẫu"))


def told(count: int, seed: int = 1) -> list[Story]:
    return list(Teller(DESKS, seed, date(2026, 8, 3)).stories(count))


def test_the_same_seed_tells_the_same() -> None:
    assert told(30) == told(30)
    assert told(30) != told(30, seed=2)


def test_a_day_has_every_course_in_plausible_shares() -> None:
    stories = told(1500)
    codes = [story.code for story in stories]
    assert len(set(codes)) == len(codes)
    endings = Counter(story.ending for story in stories)
    assert set(endings) == {None, *(DossierStatus(number) for number in (3, 7, 8, 10))}
    assert endings[DossierStatus.RETURNED] > 1200
    steps = [len(story.steps) for story in stories]
    assert 6 < sum(steps) / len(steps) < 10
    assert any(len(story.record.supplements) > 1 for story in stories)
    late = [s for s in stories if (r := s.record).finished and r.due and r.finished > r.due]
    assert 30 < len(late) < 200
    assert {story.record.procedure for story in stories} == {each.local for each in SERVICES}


def test_a_story_is_told_in_order_and_naturally() -> None:
    for story in told(500):
        moments = [change.at for change in story.changes]
        assert moments == sorted(moments)
        statuses = [step.status for step in story.steps]
        followed = zip([None, *statuses], statuses, strict=False)
        assert not any(strange(before, now) for before, now in followed)
        assert len({step.id for step in story.steps}) == len(story.steps)
        records = [c.item for c in story.changes if isinstance(c.item, DossierRecord)]
        assert records[-1].status is story.steps[-1].status or story.ending is None
