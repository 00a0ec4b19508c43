"""Replaying and cancelling, one delivery or a million: choose, ask, do, say what was done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from bus.cli.failure import PROBLEM
from bus.cli.lang import say, spoken
from bus.cli.options import agreed
from bus.cli.output import progress, say_line, show_json
from bus.cli.session import Session
from bus.ops.mending import Act, Choice, carry_out, choose

if TYPE_CHECKING:
    from bus.ledger.ledger import Ledger


def check(choice: Choice, act: Act) -> None:
    """Raises BadParameter: both ways at once, neither, or states that cannot be acted on."""
    filters = (choice.states, choice.endpoint, choice.code, choice.message, choice.since)
    if bool(choice.ids) == any(value not in ((), None) for value in filters):
        raise typer.BadParameter(
            say(
                "nêu mã chuyển phát, hoặc ít nhất một bộ lọc (không cả hai)",
                "name deliveries, or give at least one filter (not both)",
            )
        )
    if wrong := set(choice.states) - act.states:
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
    session: Session,
    act: Act,
    choice: Choice,
    *,
    reason: str,
    dry_run: bool,
    yes: bool,
    json: bool,
    rate: float | None = None,
) -> None:
    """`rate`: most deliveries a second.

    Exit status 1 when a delivery that was named could not be changed.
    """
    check(choice, act)
    chosen = session.run(lambda ledger: choose(ledger, act, choice))
    found, unfit = chosen.fit, chosen.unfit
    if dry_run or not found:
        _tell(act, Outcome(found, unfit), json=json, dry_run=dry_run)
    else:
        many = len(found) > 1 or not choice.ids
        question = say(
            f"{act.verb.vi} {len(found)} chuyển phát?", f"{act.verb.en} {len(found)} deliveries?"
        )
        if many and not yes and not agreed(question):
            raise typer.Exit(PROBLEM)
        done = session.run(lambda ledger: _do(ledger, act, found, session.actor, reason, rate))
        unfit += tuple(sorted(set(found) - set(done)))
        _tell(act, Outcome(done, unfit), json=json, dry_run=False)
    if unfit and choice.ids:
        raise typer.Exit(PROBLEM)


async def _do(
    ledger: Ledger, act: Act, ids: tuple[int, ...], actor: str, reason: str, rate: float | None
) -> tuple[int, ...]:
    done: list[int] = []
    with progress(spoken(act.verb), len(ids)) as advance:
        steps = carry_out(ledger, act, ids, actor=actor, reason=reason, rate=rate)
        async for tried, changed in steps:
            done += changed
            advance(tried)
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
