"""What ends on a day, and how that is drawn: days left as sign, word and colour; when to renew.

Read where the alerts read it (bus.ops.alerts.expiring), by the thresholds of the alerts.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from bus.console.frame import View
from bus.console.html import Cell, Html, join, table, tag
from bus.console.marks import mark
from bus.ops.alerts import expiring
from bus.ops.alerts.look import Expiry
from bus.ops.wording import Tone
from schemas.instant import SECOND, Instant

DAY = 86_400 * SECOND
KEPT_SECONDS = 5


async def known_ends(view: View) -> list[Expiry]:
    """Everything known to end, the soonest first."""

    async def make() -> list[Expiry]:
        return await expiring.all_of(view.ledger, view.snapshot)

    return await view.console.shared.get(
        ("ends", view.snapshot.revision), make, seconds=KEPT_SECONDS
    )


def end_mark(view: View, at: Instant) -> Html:
    """`✓ 12/03/2027, còn 102 ngày`; nearer, with the day before which to renew."""
    say, limits = view.say, view.console.alerts.thresholds
    left = (at - view.ledger.clock()) / DAY
    day = say.day(at)
    if left < 0:
        ago = int(-left)
        text = say(f"đã hết hạn {day}", f"ended {day}")
        if ago:
            text += say(f", {say.number(ago)} ngày trước", f", {say.number(ago)} days ago")
        return mark("✗", "bad", text)
    days = say.number(int(left))
    text = say(f"{day}, còn {days} ngày", f"{day}, {days} days left")
    if left >= limits.expiry_days:
        return mark("✓", "good", text)
    sign, tone = _PRESSING if left < limits.expiry_critical_days else _SOON
    before = at - int(limits.expiry_critical_days * DAY)
    if left < limits.expiry_critical_days:
        advice = say("thay ngay", "renew now")
    else:
        advice = say(f"thay trước {say.day(before)}", f"renew before {say.day(before)}")
    return join(mark(sign, tone, text), tag("span", advice, class_="renew"), by=" · ")


_PRESSING: tuple[str, Tone] = ("✗", "bad")
_SOON: tuple[str, Tone] = ("!", "warn")


def ends_table(view: View, found: Sequence[Expiry], *, empty: str) -> Html:
    """The soonest first."""
    say = view.say
    columns = [say("Thứ có hạn", "What ends"), say("Hết hạn", "Ends"), say("Việc cần làm", "To do")]
    rows: list[tuple[Cell, ...]] = [
        (say.text(each.what), end_mark(view, each.at), say.text(each.step)) for each in found
    ]
    caption = say("Chứng thư, bí mật và khóa có hạn", "Certificates, secrets and keys that end")
    return table(caption, columns, rows, empty=empty)


def of_culprits(found: Sequence[Expiry], culprits: Collection[str]) -> list[Expiry]:
    """`endpoint:so-y-te` and the like."""
    return [each for each in found if each.culprit in culprits]
