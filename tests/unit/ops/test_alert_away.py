"""The ledger is away: told straight to the channels, once, and once more when it is back."""

from __future__ import annotations

from bus.ops.alerts.away import LedgerAway
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
        self.said += [(each.event, letter.id) for each in letter.told]


async def test_it_is_told_once_to_each_channel_and_over_once() -> None:
    now = START
    mail, hook = Paper("email"), Paper("webhook")
    away = LedgerAway([mail, hook], lambda: now, 60)
    await away.over()
    await away.seen()
    now += 59 * SECOND
    await away.seen()
    assert mail.said == hook.said == [], "it was away for moments only"
    hook.away = True
    for _ in range(3):
        now += 15 * SECOND
        await away.seen()
    assert [event for event, _ in mail.said] == ["raised"]
    hook.away = False
    await away.seen()
    mail.away = True
    await away.over()
    mail.away = False
    await away.over()
    await away.over()
    raised, resolved = mail.said
    assert (raised[0], resolved[0]) == ("raised", "resolved")
    assert mail.said == hook.said, "the same letters, whenever each took them"
    now += 600 * SECOND
    await away.seen()
    assert len(mail.said) == 2, "a new outage has to last, too"


async def test_who_was_told_nothing_is_not_told_that_it_is_over() -> None:
    now = START
    mail = Paper("email")
    away = LedgerAway([mail], lambda: now, 60)
    await away.seen()
    await away.over()
    now += 70 * SECOND
    await away.seen()
    assert mail.said == []
