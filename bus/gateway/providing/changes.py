"""What changed since a cursor, in one form for every operation that was declared to tell it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from bus.gateway.calling import Asker, Calls, Served
from bus.gateway.calling.as_of import put
from schemas.errors import ModeNotOffered, PartnerGarbage
from schemas.service import ALL, Changes, Service

_NUMBER = "#"
"""Before a cursor that is a whole number at the register; one that begins so gets another."""


@dataclass(frozen=True, slots=True)
class Changed:
    """One answer. Whoever got nothing in it has everything there was."""

    cursor: str  # for the next question
    changed: tuple[Any, ...]
    removed: tuple[Any, ...]


def offered(service: Service, operation: str) -> Changes:
    """Raises ModeNotOffered."""
    found = service.settings(operation).changes
    if found is None:
        raise ModeNotOffered(
            f"{service.name}/{operation} does not tell what changed since a cursor; "
            "it can be asked for single records or in packages",
            vi=f"{service.name}/{operation} không cung cấp phần thay đổi theo con trỏ; "
            "có thể hỏi từng bản ghi hoặc theo gói",
        )
    return found


async def ask_changes(
    calls: Calls,
    served: Served,
    operation: str,
    question: dict[str, Any],
    cursor: str,
    asker: Asker,
) -> Changed:
    """One question. Without a cursor everything there is counts as changed.

    Raises ModeNotOffered, and what `Calls.serve` raises.
    """
    told = offered(served.service, operation)
    asked: Any = put_cursor(question, told.cursor, cursor) if cursor else question
    if ALL not in asker.fields:  # the place in the list is no datum of anybody
        asker = replace(asker, fields=(*asker.fields, told.next))
    reply = await calls.serve(served, served.operation(operation), asked, asker)
    return Changed(
        _cursor(reply, told.next),
        tuple(each for path in told.changed for each in _items(reply, path)),
        tuple(each for path in told.removed for each in _items(reply, path)),
    )


def put_cursor(question: dict[str, Any], path: str, cursor: str) -> Any:
    if cursor.startswith(_NUMBER) and cursor[1:].lstrip("-").isdecimal():
        return put(question, path, int(cursor[1:]))
    return put(question, path, cursor.removeprefix(_NUMBER))


def _cursor(reply: Any, path: str) -> str:
    """As text. Raises PartnerGarbage: without one, the next question would begin anew."""
    for step in path.split("/"):
        reply = reply.get(step) if isinstance(reply, dict) else None
    if isinstance(reply, int) and not isinstance(reply, bool):
        return f"{_NUMBER}{reply}"
    if not isinstance(reply, str) or not reply:
        raise PartnerGarbage(
            "the partner's answer holds no cursor for the next question",
            vi="Trả lời của đối tác không có con trỏ cho lần hỏi sau",
        )
    return f"{_NUMBER}{reply}" if reply.startswith(_NUMBER) else reply


def _items(value: Any, path: str) -> Iterator[Any]:
    """Items of the array at `path`; one that is withheld as a whole is one item."""
    step, _, rest = path.partition("/")
    if isinstance(value, dict) and step in value:
        value = value[step]
    elif value != {"#withheld": True}:
        return
    if rest and isinstance(value, dict):
        yield from _items(value, rest)
    elif isinstance(value, list):
        yield from value
    elif value is not None:
        yield value
