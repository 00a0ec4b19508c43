"""Rules about those who send: silence, repeats, new deviations, clocks."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from bus.ledger.alerts import Finding, Tally
from bus.ops.alerts.look import Look, span
from bus.ops.reasons import last_error
from bus.ops.tallies import SPAN, WARNING
from schemas.errors import Text
from schemas.instant import SECOND, Instant, to_datetime

RHYTHM, DRIFT = "rhythm", "drift"
MIN_SPANS = 3
"""Spans with messages, before which a sender has no rhythm."""

DEAF_SECONDS = 120
"""Between two rounds; a longer time means that the bus was away."""

MAX_KINDS = 50
"""Deviations remembered of each sender."""

MAX_BEHIND = 15 * 3_600
"""Seconds; what is older than any time zone explains is an old date and no clock."""

_HOUR = 3_600
_HEARD = frozenset({"heard-new", "heard-duplicate", "heard-conflict"})


def silent(look: Look) -> tuple[list[Finding], dict[str, Any]]:
    """Senders of this province that are quiet for longer than they ever are.

    Remembered of each: when it was last heard, and the longest pause that ended in each of the
    last spans (days) in which it was heard. The usual longest pause is the median of those.
    While the bus itself was away nobody could be heard: that time is nobody's silence.
    """
    memory = look.memory.get(RHYTHM, {"at": look.now, "senders": {}})
    away = look.now - memory["at"]
    known = {
        sender: each if away < DEAF_SECONDS * SECOND else each | {"last": each["last"] + away}
        for sender, each in memory["senders"].items()
    }
    heard = _listen(look, known)
    found = [f for sender, each in heard.items() for f in _silence(look, sender, each)]
    return found, {"at": look.now, "senders": heard}


def _listen(look: Look, memory: dict[str, Any]) -> dict[str, Any]:
    heard: dict[str, set[Instant]] = defaultdict(set)
    for each in look.tallies:
        if each.kind in _HEARD and _is_ours(look, each.subject):
            heard[each.subject].add(each.at)
    for sender, moments in heard.items():
        known = memory.get(sender, {"last": 0, "spans": {}})
        spans = dict(known["spans"])
        last: Instant = known["last"]
        for at in sorted(moments):
            if at <= last:
                continue
            number = str(int(at / SECOND // look.limits.rhythm_span))
            pause = _time(look, last, at) if last else 0.0
            spans[number] = max(pause, spans.get(number, 0.0))
            last = at
        newest = sorted(spans, key=int)[-look.limits.rhythm_spans :]
        memory[sender] = {"last": last, "spans": {each: spans[each] for each in newest}}
    return memory


def _is_ours(look: Look, agency: str) -> bool:
    """Declared by the administrator: what is remembered of each must not grow with the country."""
    known = look.snapshot.directory.get(agency)
    return known is not None and known.source is None


def _time(look: Look, since: Instant, until: Instant) -> float:
    """Seconds between the two, as rhythms count them."""
    if not look.limits.silent_working_time:
        return (until - since) / SECOND
    calendar = look.snapshot.calendar
    return calendar.between(to_datetime(since), to_datetime(until)).total_seconds()


def _silence(look: Look, sender: str, known: dict[str, Any]) -> Iterator[Finding]:
    current = str(int(look.now / SECOND // look.limits.rhythm_span))
    pauses = [pause for number, pause in known["spans"].items() if number != current]
    if len(pauses) < MIN_SPANS or look.snapshot.directory.get(sender) is None:
        return
    usual = statistics.median(pauses)
    silence = _time(look, known["last"], look.now)
    if silence < max(look.limits.silent_least, look.limits.silent_factor * usual):
        return
    told, often = span(silence), span(max(usual, SPAN / SECOND))
    name = look.name(sender)
    working = look.limits.silent_working_time
    yield Finding(
        "partner-silent",
        sender,
        f"agency:{sender}",
        "warning",
        Text(
            f"{name} im lặng {told.vi}{' làm việc' if working else ''}; thường nghỉ dài nhất"
            f" {often.vi}",
            f"{name} has been silent for {told.en}{' of working time' if working else ''}; its"
            f" longest pause is usually {often.en}",
        ),
        Text(
            f"Hệ thống của {name} ngừng gửi, hoặc không tới được trục",
            f"The system of {name} has stopped sending, or does not reach the bus",
        ),
        Text(
            f"Gọi đơn vị; xem lần gửi cuối: lgsp message list --sender {sender}",
            f"Call the agency; its last messages: lgsp message list --sender {sender}",
        ),
        known["last"],
    )


def fetching(look: Look) -> Iterator[Finding]:
    """Partners from which the bus fetches, and cannot."""
    for name, poll in look.polls.items():
        if poll.error is None or look.rests(name) or name not in look.snapshot.endpoints:
            continue
        if look.now < poll.due_at:
            continue
        error = last_error(poll.error)
        yield Finding(
            "fetch-failing",
            name,
            f"endpoint:{name}",
            "critical",
            Text(f"Không lấy được gì từ {name}", f"Nothing can be fetched from {name}"),
            Text(
                f"Hệ thống của đối tác tại {name}: {error.vi}",
                f"The partner's system at {name}: {error.en}",
            ),
            Text(
                "Gọi đơn vị vận hành hệ thống đó; xem: lgsp health",
                "Call whoever runs that system; look: lgsp health",
            ),
            poll.good_at or poll.due_at,
        )


def repeats(look: Look) -> Iterator[Finding]:
    """Senders that send the same over and over: their system does not understand its receipts."""
    counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    first: dict[str, Instant] = {}
    for each in look.recent(look.limits.window):
        if each.kind in _HEARD:
            counts[each.subject][each.kind] += each.count
            if each.kind != "heard-new":
                first[each.subject] = min(first.get(each.subject, each.at), each.at)
    for sender, of in counts.items():
        again = of["heard-duplicate"] + of["heard-conflict"]
        total = again + of["heard-new"]
        if again < look.limits.repeats_least or again < look.limits.repeats_share * total:
            continue
        name, other = look.name(sender), of["heard-conflict"]
        yield Finding(
            "duplicate-storm",
            sender,
            f"agency:{sender}",
            "warning",
            Text(
                f"{name}: {again} trong {total} thông điệp gần đây là gửi lại"
                f" ({other} khác nội dung)",
                f"{name}: {again} of {total} recent messages were repeats ({other} with other"
                " content)",
            ),
            Text(
                f"Phần mềm của {name} không ghi nhận biên nhận, hoặc dùng lại mã thông điệp",
                f"The software of {name} does not keep its receipts, or uses message ids again",
            ),
            Text(
                f"Báo đơn vị; không mất, không trùng gì: lgsp message list --sender {sender}",
                f"Tell the agency; nothing is lost or doubled: lgsp message list --sender {sender}",
            ),
            first[sender],
        )


def drift(look: Look) -> tuple[list[Finding], dict[str, Any]]:
    """Senders whose messages deviate in a way they never did.

    Remembered of each: how many messages it has sent, and its deviations, each with the moment at
    which it was news (0: never) and the one at which it was seen last. What a sender does among its
    first messages is its habit.
    """
    memory = dict(look.memory.get(DRIFT, {}))
    sent: dict[str, int] = defaultdict(int)
    seen: dict[str, dict[str, Instant]] = defaultdict(dict)
    for each in look.tallies:
        known = memory.get(each.subject, {"upto": 0})
        if each.at <= known["upto"] or not _is_ours(look, each.subject):
            continue
        if each.kind == "heard-new":
            sent[each.subject] += each.count
        elif each.kind.startswith(WARNING):
            kinds = seen[each.subject]
            warning = each.kind.removeprefix(WARNING)
            kinds[warning] = max(kinds.get(warning, each.at), each.at)
    upto = max((each.at for each in look.tallies), default=0) - SPAN  # the last may still grow
    for sender in sent.keys() | seen.keys():
        memory[sender] = _learn(look, memory.get(sender), sent[sender], seen[sender], upto)
    return [f for sender, known in memory.items() for f in _news(look, sender, known)], memory


def _learn(
    look: Look, known: dict[str, Any] | None, sent: int, seen: dict[str, Instant], upto: Instant
) -> dict[str, Any]:
    known = known or {"upto": 0, "sent": 0, "habits": {}}
    learning = known["sent"] < look.limits.drift_learns
    alive = look.ago(look.limits.drift_forgets)
    habits = {warning: each for warning, each in known["habits"].items() if each[1] >= alive}
    for warning, at in seen.items():
        if warning in habits:
            habits[warning] = [habits[warning][0], at]
        elif len(habits) < MAX_KINDS:
            habits[warning] = [0 if learning else at, at]
    return {"upto": max(upto, known["upto"]), "sent": known["sent"] + sent, "habits": habits}


def _news(look: Look, sender: str, known: dict[str, Any]) -> Iterator[Finding]:
    since = look.ago(look.limits.drift_seconds)
    new = {warning: at for warning, (at, _) in known["habits"].items() if at >= since}
    if not new:
        return
    name, listed = look.name(sender), ", ".join(sorted(new))
    yield Finding(
        "schema-drift",
        sender,
        f"agency:{sender}",
        "warning",
        Text(
            f"{name}: gói tin có sai lệch mới: {listed}",
            f"{name}: its packets deviate in a new way: {listed}",
        ),
        Text(
            f"Phần mềm của {name} vừa được thay đổi",
            f"The software of {name} has just been changed",
        ),
        Text(
            f"Vẫn nhận được; báo nhà cung cấp phần mềm: lgsp message list --sender {sender}",
            f"They are still taken; tell its vendor: lgsp message list --sender {sender}",
        ),
        min(new.values()),
    )


def clocks(look: Look) -> Iterator[Finding]:
    """Senders whose clocks differ from ours, as far as their messages can tell.

    A message from the future proves it. One from the past may have waited at the sender, so all
    of them must agree.
    """
    limits = look.limits
    lags: dict[str, list[Tally]] = defaultdict(list)
    for each in look.recent(limits.window):
        if each.kind == "lag":
            lags[each.subject].append(each)
    for sender, found in lags.items():
        newest = _newest(found, limits.skew_least)
        low = min(each.low or 0 for each in newest)
        high = max(each.high or 0 for each in newest)
        if sum(each.count for each in newest) < limits.skew_least:
            continue
        agree = high - low <= max(limits.skew_seconds, 0.1 * low)
        behind = low if agree and low <= MAX_BEHIND else 0
        if max(-low, behind) >= limits.skew_seconds:
            yield _skewed(look, sender, -low if low < 0 else -behind)


def _newest(tallies: list[Tally], least: int) -> list[Tally]:
    """The last ones that hold so many messages."""
    found: list[Tally] = []
    for each in sorted(tallies, key=lambda tally: tally.at, reverse=True):
        found.append(each)
        least -= each.count
        if least <= 0:
            break
    return found


def _skewed(look: Look, sender: str, ahead: int) -> Finding:
    name, told = look.name(sender), span(abs(ahead))
    vi, en = ("nhanh", "ahead") if ahead > 0 else ("chậm", "behind")
    hours = round(abs(ahead) / _HOUR)
    zone = hours > 0 and abs(abs(ahead) - hours * _HOUR) < 120
    cause = (
        Text(
            f"Phần mềm của {name} ghi giờ theo múi giờ khác (lệch {hours} giờ tròn)",
            f"The software of {name} writes another time zone (off by {hours} whole hours)",
        )
        if zone
        else Text(f"Đồng hồ máy chủ của {name} sai", f"The clock of {name}'s server is wrong")
    )
    return Finding(
        "clock-skew",
        sender,
        f"agency:{sender}",
        "warning",
        Text(f"Giờ của {name} {vi} {told.vi}", f"The time of {name} is {told.en} {en}"),
        cause,
        Text(
            f"Báo đơn vị đồng bộ giờ (NTP); xem: lgsp message list --sender {sender}",
            f"Ask the agency to synchronise (NTP); see: lgsp message list --sender {sender}",
        ),
        look.now,
        look.limits.skew_lasts,
    )
