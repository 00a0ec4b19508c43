"""Jobs of questions to services in the ledger, on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bus.ledger import process_acts
from bus.ledger.ledger import Ledger
from bus.ledger.service_jobs import MAX_OPEN, Job, JobState
from schemas.errors import Conflict, RateLimited
from schemas.instant import SECOND
from tests.ledgers import prepare

JOB = Job(
    id="j1",
    client="client:mot-cua",
    ref=None,
    sha256="a",
    agency="H38.01",
    officer="CB-1",
    purpose="G15-TP110",
    service="dan-cu@1",
    operation="TraCuu",
    as_of=None,
    language="vi",
    trace="t",
    total=3,
    created_at=1,
    expires_at=2**60,
)
ASKED = ['{"a": 1}', "", "không phải JSON 'x'"]


@pytest.fixture
async def ledger(ledger_url: str, tmp_path: Path) -> AsyncIterator[Ledger]:
    await prepare(ledger_url)
    opened = await Ledger.open(ledger_url, tmp_path / "blobs", actor="first")
    yield opened
    await opened.close()


@pytest.fixture
async def other(
    ledger: Ledger,  # noqa: ARG001 - it makes the database
    ledger_url: str,
    tmp_path: Path,
) -> AsyncIterator[Ledger]:
    opened = await Ledger.open(ledger_url, tmp_path / "blobs", actor="second")
    yield opened
    await opened.close()


async def live(ledger: Ledger) -> None:
    await ledger.act(
        lambda tx, chain, now: process_acts.register(
            tx, chain, now, ledger.process, roles="gateway", host="h", pid=1
        )
    )


async def test_a_job_goes_from_hand_to_hand_and_is_answered_once(
    ledger: Ledger, other: Ledger
) -> None:
    assert await ledger.add_job(JOB, ASKED) == JOB
    assert await ledger.claim_job([]) is None, "not on the list of the living"
    await live(ledger)
    await live(other)
    claimed = await ledger.claim_job([])
    assert claimed is not None
    assert (claimed.id, claimed.state, claimed.total) == ("j1", JobState.RUNNING, 3)
    assert await other.claim_job([]) is None, "it is in a living one's hands"
    assert await ledger.claim_job(["j1"]) is None
    items = await ledger.jobs.unanswered("j1", after=0, limit=10)
    assert [(each.number, each.question, each.asked) for each in items] == [
        (number, text, False) for number, text in enumerate(ASKED, 1)
    ]
    assert await ledger.mark_asked("j1", 2)
    assert await ledger.answer_job("j1", 1, line='{"number":1}\n', failed=False)
    assert await ledger.answer_job("j1", 1, line="again\n", failed=True), "harmless"
    assert not await other.answer_job("j1", 2, line="stolen\n", failed=False)
    assert await ledger.jobs.lines("j1", after=0, limit=10) == [
        (1, '{"number":1}\n'),
        (2, None),
        (3, None),
    ]

    await ledger.act(lambda tx, chain, now: process_acts.leave(tx, chain, now, ledger.process))
    taken = await other.claim_job([])
    assert taken is not None
    assert (taken.answered, taken.failed) == (1, 0)
    assert not await ledger.answer_job("j1", 3, line="late\n", failed=False)
    assert not await ledger.mark_asked("j1", 3)
    left = await other.jobs.unanswered("j1", after=0, limit=10)
    assert [(each.number, each.asked) for each in left] == [(2, True), (3, False)]
    for number in (2, 3):
        assert await other.answer_job("j1", number, line="x\n", failed=True)
    assert not await ledger.finish_job(taken, keep=SECOND)
    assert await other.finish_job(taken, keep=60 * SECOND)
    done = await other.jobs.get("j1")
    assert done is not None
    assert (done.state, done.answered, done.failed) == (JobState.DONE, 3, 2)
    assert done.finished_at is not None
    assert done.expires_at == done.finished_at + 60 * SECOND
    assert await other.claim_job([]) is None
    assert (await ledger.verify_journal()).problems == ()


async def test_the_same_job_again_is_the_first(ledger: Ledger) -> None:
    named = replace(JOB, ref="L-1")
    await ledger.add_job(named, ASKED)
    again = await ledger.add_job(replace(named, id="j2"), ASKED)
    assert again.id == "j1"
    with pytest.raises(Conflict):
        await ledger.add_job(replace(named, id="j3", sha256="b"), ASKED)
    await ledger.add_job(replace(named, id="j4", client="client:khac"), ASKED)
    assert [each.id for each in await ledger.jobs.newest(client="client:mot-cua")] == ["j1"]
    assert len(await ledger.jobs.newest()) == 2


async def test_a_client_with_many_jobs_lets_others_by(ledger: Ledger) -> None:
    await live(ledger)
    for number in range(MAX_OPEN):
        await ledger.add_job(replace(JOB, id=f"a{number:02}", created_at=number), ASKED[:1])
    with pytest.raises(RateLimited):
        await ledger.add_job(replace(JOB, id="too-many"), ASKED)
    await ledger.add_job(replace(JOB, id="b", client="client:khac", created_at=99), ASKED[:1])
    taken: list[str] = []
    for _ in range(3):
        job = await ledger.claim_job(taken)
        assert job is not None
        taken.append(job.id)
    assert taken == ["a00", "b", "a01"]
    await ledger.give_jobs_back()
    again = await ledger.claim_job([])
    assert again is not None


async def test_a_cancelled_job_forgets_what_was_not_asked(ledger: Ledger) -> None:
    await live(ledger)
    await ledger.add_job(JOB, ASKED)
    await ledger.claim_job([])
    await ledger.answer_job("j1", 2, line="2\n", failed=False)
    assert await ledger.cancel_job("j1", actor="client:mot-cua", reason="no longer wanted")
    assert not await ledger.cancel_job("j1", actor="client:mot-cua", reason="again")
    assert not await ledger.answer_job("j1", 3, line="3\n", failed=False)
    assert await ledger.jobs.lines("j1", after=0, limit=10) == [(2, "2\n")]
    assert await ledger.claim_job([]) is None


async def test_what_has_expired_is_removed_with_all_it_holds(ledger: Ledger) -> None:
    await ledger.add_job(replace(JOB, expires_at=ledger.clock() - 1), ASKED)
    await ledger.add_job(replace(JOB, id="j2"), ASKED)
    assert await ledger.remove_expired_jobs() == 1
    assert await ledger.remove_expired_jobs() == 0
    assert await ledger.jobs.get("j1") is None
    assert await ledger.jobs.lines("j1", after=0, limit=10) == []
    assert len(await ledger.jobs.lines("j2", after=0, limit=10)) == 3
