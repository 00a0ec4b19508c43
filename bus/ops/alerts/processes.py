"""Rules about processes that die: nobody of them tells it, so the others do.

What counts is how many of a kind there are, by their roles: a killed one that was started again at
once is no trouble, one that nobody starts again is, and so is one that dies again and again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bus.ledger.alerts import LOST, Finding, Loss, Tally
from bus.ops.alerts.look import Look, span
from bus.ops.alerts.own import ROLES
from schemas.errors import Text
from schemas.instant import SECOND, Instant

PROCESSES = "processes"
Roles = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Kind:
    """Processes with the same roles."""

    full: int = 0  # how many there were while all was well
    since: Instant | None = None  # none is missing; else when the first was lost
    newest: Loss | None = None


def dead(look: Look) -> tuple[list[Finding], dict[str, Any]]:
    """Kinds of which there are fewer than there were, since one was lost; and what to remember.

    One that left in good order is not expected back.
    """
    memory = look.memory.get(PROCESSES, {"known": {}, "counted": [], "kinds": {}})
    known = {row.id: memory["known"].get(row.id, look.now) for row in look.processes}
    kinds = {_roles(name): _kind(body) for name, body in memory["kinds"].items()}
    losses = _losses(look)
    found: list[Finding] = []
    kept: dict[str, Any] = {}
    there = {row.roles for row in look.processes} | {each.roles for each in losses}
    for roles in sorted(there | kinds.keys()):
        mine = [each for each in losses if each.roles == roles]
        new = [each for each in mine if each.process not in memory["counted"]]
        kind = _followed(look, kinds.get(roles, _Kind()), new, roles, known)
        found += _findings(look, roles, kind, mine)
        if kind.full:
            kept[_name(roles)] = _body(kind)
    counted = [each.process for each in losses]
    return found, {"known": known, "counted": counted, "kinds": kept}


def _followed(
    look: Look, kind: _Kind, new: Sequence[Loss], roles: Roles, known: dict[str, Instant]
) -> _Kind:
    """As it is after this round. A silent one counts until it has left or is lost; a new one when
    it has been there for a while, since it may be the successor of one that is not lost yet.
    """
    since_long = look.ago(look.limits.process_settles)
    settled = sum(row.roles == roles and known[row.id] <= since_long for row in look.processes)
    if new:
        full = max(kind.full, settled) if kind.since is None else kind.full
        since = new[0].at if kind.since is None else kind.since
        kind = _Kind(full, since, new[-1])
    elif kind.since is None:
        return _Kind(settled)
    assert kind.since is not None, "one is missing"  # noqa: S101
    alive = _alive(look, roles)
    given_up = look.now - kind.since >= look.limits.process_forgets * SECOND
    return _Kind(alive) if alive >= kind.full or given_up else kind


def _alive(look: Look, roles: Roles) -> int:
    return sum(row.roles == roles and row.id in look.beating for row in look.processes)


def _findings(look: Look, roles: Roles, kind: _Kind, losses: Sequence[Loss]) -> Iterator[Finding]:
    """A role that is gone altogether has a rule of its own."""
    if any(not look.roles.get(role, 0) for role in roles if role in ROLES):
        return
    mine = [each for each in losses if each.roles == roles]
    if len(mine) >= look.limits.process_deaths * max(kind.full, 1):
        yield _again(look, roles, mine)
    elif kind.since is not None and kind.newest is not None:
        yield _missing(look, roles, kind, kind.since, kind.newest)


def _missing(look: Look, roles: Roles, kind: _Kind, since: Instant, loss: Loss) -> Finding:
    alive = _alive(look, roles)
    name, where = " + ".join(roles), f"{loss.host}, pid {loss.pid}"
    return Finding(
        "process-lost",
        _name(roles),
        f"bus:{_name(roles)}",
        "warning",
        Text(
            f"Một tiến trình {name} ({where}) đã chết, chưa ai khởi động lại; còn {alive} trên"
            f" {kind.full}",
            f"A process {name} ({where}) has died and was not started again; {alive} of"
            f" {kind.full} are left",
        ),
        _cause(loss),
        _step(roles, loss),
        since,
        look.limits.process_seconds,
    )


def _again(look: Look, roles: Roles, losses: Sequence[Loss]) -> Finding:
    loss, name, often = losses[-1], " + ".join(roles), span(look.limits.window)
    return Finding(
        "process-lost",
        _name(roles),
        f"bus:{_name(roles)}",
        "critical",
        Text(
            f"Tiến trình {name} chết liên tục: {len(losses)} lần trong {often.vi}, gần nhất trên"
            f" {loss.host}",
            f"Processes {name} die again and again: {len(losses)} times in {often.en}, the last on"
            f" {loss.host}",
        ),
        _cause(loss),
        _step(roles, loss),
        losses[0].at,
    )


def _cause(loss: Loss) -> Text:
    return Text(
        f"Bị giết (thiếu bộ nhớ), tự sập, hoặc máy {loss.host} ngừng hay mất mạng; việc của nó đã"
        " được tiến trình khác nhận lại",
        f"Killed (out of memory), crashed, or the machine {loss.host} stopped or lost its network;"
        " others have taken its work back",
    )


def _step(roles: Roles, loss: Loss) -> Text:
    serves = set(ROLES).issubset(roles)
    start = "lgsp serve" if serves else "; ".join(f"lgsp {each}" for each in roles)
    return Text(
        f"Trên {loss.host}: xem cuối nhật ký của tiến trình, rồi khởi động: {start}",
        f"On {loss.host}: read the end of its log, then start: {start}",
    )


def _losses(look: Look) -> list[Loss]:
    """Of the window, the oldest first."""
    found = [Loss.of(each) for each in look.recent(look.limits.window) if each.kind == LOST]
    buried = {each.process for each in found}
    found += [  # where no dispatcher lives nobody buries
        Loss(row.id, row.host, row.pid, row.roles, look.now)
        for row in look.processes
        if row.id in look.lost - buried
    ]
    return sorted(found, key=lambda each: each.at)


def _name(roles: Roles) -> str:
    return "+".join(roles)


def _roles(name: str) -> Roles:
    return tuple(name.split("+"))


def _body(kind: _Kind) -> dict[str, Any]:
    newest = None if kind.newest is None else kind.newest.tally
    told = None if newest is None else [newest.subject, newest.at]
    return {"full": kind.full, "since": kind.since, "newest": told}


def _kind(body: dict[str, Any]) -> _Kind:
    told = body["newest"]
    newest = None if told is None else Loss.of(Tally(LOST, told[0], told[1], 1))
    return _Kind(body["full"], body["since"], newest)
