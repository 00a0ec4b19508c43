"""The routing decision: stored with its message, shown to whoever asks why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Literal

import orjson
from pydantic import TypeAdapter

Step = tuple[str, str]
"""One sentence of an explanation in Vietnamese and English."""


class RoutingOutcome(StrEnum):
    """What is done for one receiver."""

    DELIVER = "deliver"
    HOLD = "hold"  # accepted, waits for a person or for the endpoint to be declared
    REFUSED = "refused"  # a route forbids it
    UNKNOWN = "unknown"  # no agency in force has this code
    ORIGIN = "origin"  # it came over the receiver's own endpoint: nothing goes back there
    UNROUTABLE = "unroutable"  # neither the agency nor anyone above it has an endpoint
    ALREADY_THERE = "already-there"  # the receiver has this document: known only at the commit
    STOPPED = "stopped"  # what is recalled had not left yet: neither does the recall


@dataclass(frozen=True, slots=True)
class PlannedDelivery:
    """A delivery the decision asks for."""

    endpoint: str
    receivers: tuple[str, ...]  # agencies' own codes
    pull: bool  # the receiver fetches it
    held: str  # reason, when it must wait; else empty


@dataclass(frozen=True, slots=True)
class ReceiverDecision:
    """What is done for one receiver, and why. `steps` ends with the deciding reason."""

    addressed: str  # as the sender wrote it
    outcome: RoutingOutcome
    steps: tuple[Step, ...]
    agency: str | None = None  # its own code
    name: str = ""
    alias_used: str | None = None
    also_addressed: tuple[str, ...] = ()  # the same agency written again; it gets one delivery
    route: str | None = None  # name of the route that decided
    endpoint: str | None = None
    inherited_from: str | None = None  # the agency above whose endpoint it is
    pull: bool = False
    grouped: bool = False  # shares one delivery with the endpoint's other receivers


@dataclass(frozen=True, slots=True)
class Decision:
    """One message: every receiver exactly once, in the order addressed."""

    kind: str
    sender: str
    on: str  # the day it was decided for, ISO
    receivers: tuple[ReceiverDecision, ...]

    def planned(self) -> tuple[PlannedDelivery, ...]:
        """Deliveries in order of receivers; grouped receivers share the place of their first."""
        plan: dict[tuple[str, ...], list[ReceiverDecision]] = {}
        for each in self.receivers:
            if each.endpoint is not None and each.agency is not None and _leaves(each):
                own = "" if each.grouped else each.agency
                plan.setdefault((each.endpoint, _held(each), own), []).append(each)
        return tuple(
            PlannedDelivery(
                endpoint, tuple(e.agency for e in group if e.agency), group[0].pull, held
            )
            for (endpoint, held, _), group in plan.items()
        )

    def to_json(self) -> str:
        """Stable: equal decisions give equal text."""
        return orjson.dumps(self).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> Decision:
        """Raises ValueError when the text is not a decision. Unknown members are ignored."""
        return _adapter().validate_json(text)


@cache
def _adapter() -> TypeAdapter[Decision]:
    return TypeAdapter(Decision)


def _leaves(receiver: ReceiverDecision) -> bool:
    return receiver.outcome in {RoutingOutcome.DELIVER, RoutingOutcome.HOLD}


def _held(receiver: ReceiverDecision) -> str:
    return " / ".join(receiver.steps[-1]) if receiver.outcome is RoutingOutcome.HOLD else ""


_LABELS: dict[RoutingOutcome, Step] = {
    RoutingOutcome.DELIVER: ("chuyển", "deliver"),
    RoutingOutcome.HOLD: ("giữ lại", "hold"),
    RoutingOutcome.REFUSED: ("từ chối", "refused"),
    RoutingOutcome.UNKNOWN: ("không rõ cơ quan", "unknown agency"),
    RoutingOutcome.ORIGIN: ("nơi gửi tự chuyển", "served where it came from"),
    RoutingOutcome.UNROUTABLE: ("không có đường chuyển", "no way there"),
    RoutingOutcome.ALREADY_THERE: ("đã có, không gửi lại", "already there"),
    RoutingOutcome.STOPPED: ("đã hủy trước khi gửi", "stopped before it left"),
}


def explain_lines(decision: Decision, lang: Literal["vi", "en"]) -> list[str]:
    """The decision for a person: a line for each receiver, its steps indented below."""
    side = 0 if lang == "vi" else 1
    lines: list[str] = []
    for each in decision.receivers:
        where = f" → {each.endpoint}" if each.endpoint is not None else ""
        lines.append(f"{each.addressed}: {_LABELS[each.outcome][side]}{where}")
        lines += (f"  {number}. {step[side]}" for number, step in enumerate(each.steps, start=1))
    return lines
