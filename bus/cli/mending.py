"""Replaying and cancelling, one delivery or a million: choose, ask, do, say what was done."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from bus.cli.failure import PROBLEM
from bus.cli.lang import say, spoken
from bus.cli.options import agreed
from bus.cli.output import progress, say_line, show_json
from bus.cli.session import Session
from schemas.delivery import CANCELLABLE, REPLAYABLE, DeliveryState
from schemas.errors import Text
from schemas.instant import Instant

if TYPE_CHECKING:
    from bus.ledger.ledger import Ledger

PAGE = 2_000
BATCH = 200  # one transaction: others' accepts wait no longer than for it


@dataclass(frozen=True, slots=True)
class Act:
    """Something done to deliveries that are in certain states."""

    verb: Text
    done: Text
    states: frozenset[DeliveryState]
    run: Callable[[Ledger, Sequence[int], str, str], Coroutine[Any, Any, list[int]]]


REPLAY = Act(
    Text("Gửi lại", "Replay"),
    Text("Đã cho gửi lại", "Replayed"),
    REPLAYABLE,
    lambda ledger, ids, actor, reason: ledger.replay(ids, actor=actor, reason=reason),
)
CANCEL = Act(
    Text("Hủy", "Cancel"),
    Text("Đã hủy", "Cancelled"),
    CANCELLABLE,
    lambda ledger, ids, actor, reason: ledger.cancel(ids, actor=actor, reason=reason),
)


@dataclass(frozen=True, slots=True)
class Choice:
    """Deliveries by id, or all that match every filter given."""

    ids: tuple[int, ...]
    states: tuple[DeliveryState, ...]
    endpoint: str | None
    code: str | None
    message: str | None
    since: Instant | None

    def check(self, act: Act) -> None:
        """Raises BadParameter: both ways at once, neither, or states that cannot be acted on."""
        filters = (self.states, self.endpoint, self.code, self.message, self.since)
        if bool(self.ids) == any(value not in ((), None) for value in filters):
            raise typer.BadParameter(
                say(
                    "nêu mã chuyển phát, hoặc ít nhất một bộ lọc (không cả hai)",
                    "name deliveries, or give at least one filter (not both)",
                )
            )
        if wrong := set(self.states) - act.states:
            names = ", ".join(sorted(wrong))
            possible = ", ".join(sorted(act.states))
            raise typer.BadParameter(
                say(
                    f"không làm được ở trạng thái {names}; chỉ: {possible}",
                    f"not possible in state {names}; only: {possible}",
                )
            )


@dataclass(frozen=True, slots=True)
class Outcome:
    done: tuple[int, ...]
    skipped: tuple[int, ...]


def mend(
    session: Session, act: Act, choice: Choice, *, reason: str, dry_run: bool, yes: bool, json: bool
) -> None:
    """Exit status 1 when a delivery that was named could not be changed."""
    choice.check(act)
    found, unfit = session.run(lambda ledger: _choose(ledger, act, choice))
    if dry_run or not found:
        _tell(act, Outcome(found, unfit), json=json, dry_run=dry_run)
    else:
        many = len(found) > 1 or not choice.ids
        question = say(
            f"{act.verb.vi} {len(found)} chuyển phát?", f"{act.verb.en} {len(found)} deliveries?"
        )
        if many and not yes and not agreed(question):
            raise typer.Exit(PROBLEM)
        done = session.run(lambda ledger: _do(ledger, act, found, session.actor, reason))
        unfit += tuple(sorted(set(found) - set(done)))
        _tell(act, Outcome(done, unfit), json=json, dry_run=False)
    if unfit and choice.ids:
        raise typer.Exit(PROBLEM)


async def _choose(
    ledger: Ledger, act: Act, choice: Choice
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Ids that can be acted on, oldest first, and named ones that cannot."""
    if choice.ids:
        wanted = sorted(set(choice.ids))
        rows = [await ledger.queries.delivery(number) for number in wanted]
        fit = {row.id for row in rows if row is not None and row.state in act.states}
        return tuple(sorted(fit)), tuple(number for number in wanted if number not in fit)
    found: list[int] = []
    while rows_of_page := await ledger.queries.deliveries(
        states=choice.states or tuple(act.states),
        endpoint=choice.endpoint,
        code=choice.code,
        message_id=choice.message,
        since=choice.since,
        after=found[-1] if found else None,
        limit=PAGE,
    ):
        found += [row.id for row in rows_of_page]
    return tuple(reversed(found)), ()


async def _do(
    ledger: Ledger, act: Act, ids: tuple[int, ...], actor: str, reason: str
) -> tuple[int, ...]:
    done: list[int] = []
    with progress(spoken(act.verb), len(ids)) as advance:
        for start in range(0, len(ids), BATCH):
            batch = ids[start : start + BATCH]
            done += await act.run(ledger, batch, actor, reason)
            advance(len(batch))
    return tuple(sorted(done))


def _tell(act: Act, outcome: Outcome, *, json: bool, dry_run: bool) -> None:
    if json:
        show_json({"done": outcome.done, "skipped": outcome.skipped, "dryRun": dry_run})
        return
    count = len(outcome.done)
    if dry_run:
        would = say(f"Sẽ {act.verb.vi.lower()}: {count}", f"Would {act.verb.en.lower()}: {count}")
        say_line(f"{would}{_listed(outcome.done)}")
    else:
        say_line(f"✓ {spoken(act.done)}: {count}{_listed(outcome.done)}")
    if outcome.skipped:
        why = say(
            "Không làm được (không có, hoặc ở trạng thái khác)",
            "Not possible (none, or in another state)",
        )
        say_line(f"✗ {why}: {len(outcome.skipped)}{_listed(outcome.skipped)}")


def _listed(ids: tuple[int, ...]) -> str:
    shown = ", ".join(map(str, ids[:10]))
    return f" ({shown}{', …' if len(ids) > 10 else ''})" if ids else ""
