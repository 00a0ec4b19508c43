"""The element table of model.py, compiled once for reader and writer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache
from types import UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from pydantic import NaiveDatetime

from schemas.edxml import values
from schemas.edxml.model import NAMESPACE, Group


@dataclass(frozen=True, slots=True)
class Lexical:
    """How a simple value is read and written; `read` None means text as it is."""

    name: str
    read: Callable[[str], tuple[Any, bool]] | None
    write: Callable[[Any], str]


TEXT = Lexical("text", None, str)
ORGAN_ID = Lexical("organ-id", values.read_organ_id, str)
_LEXICAL: dict[Any, Lexical] = {
    str: TEXT,
    int: Lexical("number", values.read_number, str),
    bool: Lexical("boolean", values.read_boolean, values.write_boolean),
    date: Lexical("date", values.read_date, values.write_date),
    NaiveDatetime: Lexical("timestamp", values.read_timestamp, values.write_timestamp),
}


@dataclass(frozen=True, slots=True)
class Slot:
    """One row of the table: a field and the element it is."""

    field: str
    element: str
    wrapper: str  # element around the items of a list, or ""
    many: bool
    plan: Plan | None  # of a group; None for a simple value
    lexical: Lexical
    item_tags: frozenset[str]


class Known(NamedTuple):
    """A tag the reader knows, and what it puts up with by accepting it ("" for nothing)."""

    slot: Slot
    warning: str


@dataclass(frozen=True, slots=True)
class Plan:
    """All rows of one group, in writing order, and by tag."""

    slots: tuple[Slot, ...]
    by_tag: dict[object, Known]  # lxml types a tag as more than str


@cache
def plan_of(model: type[Group]) -> Plan:
    """The compiled table of `model`."""
    slots = tuple(_slots(model))
    by_tag: dict[object, Known] = {}
    for slot in slots:
        name = slot.wrapper or slot.element
        by_tag[qualified(name)] = Known(slot, "")
        by_tag[name] = Known(slot, "namespace-missing")
        if name.startswith("Bussiness"):  # the standard's spelling; some systems correct it
            corrected = "Business" + name.removeprefix("Bussiness")
            by_tag[qualified(corrected)] = by_tag[corrected] = Known(slot, "business-spelling")
    return Plan(slots, by_tag)


def qualified(name: str) -> str:
    """Clark notation of an element of the standard."""
    return f"{{{NAMESPACE}}}{name}"


@cache
def tags(name: str) -> frozenset[str]:
    """The tags under which an element is accepted: in the standard's namespace or in none."""
    return frozenset({qualified(name), name})


@cache
def local_names(names: tuple[str, ...]) -> dict[object, str]:
    """The name by each tag under which it is accepted."""
    return {tag: name for name in names for tag in tags(name)}


def _slots(model: type[Group]) -> Iterator[Slot]:
    for field, info in model.model_fields.items():
        extra = info.json_schema_extra
        if not isinstance(extra, dict):
            continue
        path = str(extra["element"])
        wrapper, _, element = path.rpartition("/")
        kind, many = _kind(info.annotation)
        group = isinstance(kind, type) and issubclass(kind, Group)
        yield Slot(
            field=field,
            element=element,
            wrapper=wrapper,
            many=many,
            plan=plan_of(kind) if group else None,
            lexical=ORGAN_ID if element == "OrganId" else _LEXICAL.get(kind, TEXT),
            item_tags=tags(element),
        )


def _kind(annotation: Any) -> tuple[Any, bool]:
    """(type of one value, whether it is a list) of a field's annotation."""
    origin = get_origin(annotation)
    if origin is tuple:
        return get_args(annotation)[0], True
    if origin in {Union, UnionType}:
        return _kind(get_args(annotation)[0])
    if origin is Annotated:
        return get_args(annotation)[0], False
    return annotation, False
