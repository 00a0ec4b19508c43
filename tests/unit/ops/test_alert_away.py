"""The ledger is away: told straight to the channels, once by each machine, over restarts, and once
more when it is back.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bus.ops.alerts.away import FILE, LedgerAway
from bus.ops.alerts.channels import NotTold
from bus.ops.alerts.wording import Letter
from schemas.instant import SECOND

START = 1_790_000_000 * SECOND


class Paper:
    def __init__(self, name: str) -> None:
        self.name = name
        self.away = False
        self.said: list[tuple[str, str]] = []

    async def tell(self, letter: Letter) -> None:
        if self.away:
            raise NotTold("away")
        assert "503" in letter.text
        assert "may-1" in letter.text
        assert "lgsp alert show 0" not in letter.text, "the ledger has no such alert"
        self.said += [(each.event, letter.id) for each in letter.told]

    @property
    def events(self) -> list[str]:
        return [event for event, _ in self.said]


class Machine:
    """Processes of one machine, with one clock."""

    def __init__(self, folder: Path) -> None:
        self.now = START
        self.mail, self.hook = Paper("email"), Paper("webhook")
        self._folder = folder

    def process(self) -> LedgerAway:
        return LedgerAway(
            [self.mail, self.hook], lambda: self.now, 60, folder=self._folder, host="may-1"
        )

    async def seen(self, *processes: LedgerAway, after: float = 15) -> None:
        self.now += int(after * SECOND)
        for each in processes:
            await each.seen()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


async def test_it_is_told_once_to_each_channel_and_over_once(machine: Machine) -> None:
    away, mail, hook = machine.process(), machine.mail, machine.hook
    assert await away.over() is None
    await machine.seen(away)
    await machine.seen(away, after=59)
    assert mail.said == hook.said == [], "it was away for moments only"
    hook.away = True
    for _ in range(3):
        await machine.seen(away)
    assert mail.events == ["raised"]
    hook.away = False
    await machine.seen(away)
    mail.away = True
    assert await away.over() is None, "not everybody knows"
    mail.away = False
    outage = await away.over()
    assert outage is not None
    assert (outage.finding.since, outage.ended_at) == (START + 15 * SECOND, machine.now)
    assert await away.over() is None
    assert mail.events == ["raised", "resolved"]
    assert mail.said == hook.said, "the same letters, whenever each took them"
    await machine.seen(away, after=600)
    assert len(mail.said) == 2, "a new outage has to last, too"


async def test_of_the_processes_of_a_machine_one_tells_and_a_killed_one_is_followed(
    machine: Machine,
) -> None:
    one, other = machine.process(), machine.process()
    for after in (0, 61, 15):
        await machine.seen(one, other, after=after)
    assert machine.mail.events == ["raised"]
    one.close()  # as the kernel does for a killed one
    await machine.seen(other)
    assert machine.mail.events == ["raised"], "it knows what was told"
    assert await other.over() is not None
    assert machine.mail.events == ["raised", "resolved"]


async def test_a_restart_during_the_outage_neither_repeats_nor_forgets_it(machine: Machine) -> None:
    before = machine.process()
    await machine.seen(before)
    await machine.seen(before, after=61)
    before.close()
    after = machine.process()
    outage = await after.over()
    assert outage is not None
    assert outage.finding.since == START + 15 * SECOND, "since it began, not since the restart"
    assert machine.hook.events == ["raised", "resolved"]
    assert len({letter for _, letter in machine.hook.said}) == 2


async def test_who_was_told_nothing_is_not_told_that_it_is_over(machine: Machine) -> None:
    away = machine.process()
    await machine.seen(away)
    assert await away.over() is None
    await machine.seen(away, after=70)
    assert machine.mail.said == []
    machine.mail.away = machine.hook.away = True
    await machine.seen(away, after=61)
    machine.mail.away = machine.hook.away = False
    assert await away.over() is not None, "the ledger is to know of it all the same"
    assert machine.mail.said == machine.hook.said == []


async def test_where_nothing_can_be_written_it_is_told_all_the_same(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "not there")
    away = machine.process()
    for after in (0, 61, 15):
        await machine.seen(away, after=after)
    assert machine.mail.events == ["raised"]
    assert await away.over() is not None
    assert machine.mail.events == ["raised", "resolved"]


@pytest.mark.parametrize("left", [b"", b'{"since": 17900', b"[]"])
async def test_a_note_that_was_cut_off_is_no_note(
    machine: Machine, tmp_path: Path, left: bytes
) -> None:
    (tmp_path / FILE).write_bytes(left)
    away = machine.process()
    assert await away.over() is None
    for after in (0, 61):
        await machine.seen(away, after=after)
    assert machine.mail.events == ["raised"]
