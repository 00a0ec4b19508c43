"""What the command prints: tables for people, one JSON document for programs.

JSON has camelCase keys, times in RFC 3339, and nothing else on standard output.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Any

from bus.cli.lang import say
from schemas.delivery import DeliveryState
from schemas.instant import Instant, to_datetime, to_iso

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

MARKS = {  # a sign beside the word, so that colour is never the only one
    DeliveryState.QUEUED: ("·", "default"),
    DeliveryState.SENDING: ("→", "cyan"),
    DeliveryState.WAITING: ("…", "yellow"),
    DeliveryState.HELD: ("‖", "yellow"),
    DeliveryState.DELIVERED: ("✓", "green"),
    DeliveryState.REJECTED: ("✗", "red"),
    DeliveryState.DEAD: ("✗", "bold red"),
    DeliveryState.CANCELLED: ("–", "dim"),
    DeliveryState.EXPIRED: ("–", "dim"),
}
WIDE = 10_000  # columns when nobody looks at it: a pipe gets whole lines


@cache
def console(*, stderr: bool = False) -> Console:
    # late: rich is not needed for --json
    from rich.console import Console  # noqa: PLC0415

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else WIDE
    return Console(stderr=stderr, width=width, highlight=False, markup=False, emoji=False)


def say_line(text: str, *, style: str | None = None) -> None:
    console().print(printable(text), style=style, soft_wrap=True)


def note(text: str) -> None:
    """For the person, not for the pipe."""
    console(stderr=True).print(printable(text), soft_wrap=True)


def printable(text: str) -> str:
    """Without control characters: what came from outside must not steer the terminal."""
    return "".join(c if c.isprintable() or c == "\n" else "�" for c in text)


def cell(value: object) -> Text:
    from rich.text import Text  # noqa: PLC0415 - as above

    match value:
        case DeliveryState():
            mark, style = MARKS[value]
            return Text(f"{mark} {value.value}", style=style)
        case None | "" | ():
            return Text("—")
        case tuple() | list():
            return Text(printable(" ".join(map(str, value))))
        case bool():
            return Text("✓" if value else "—")
        case _:
            return Text(printable(str(value)))


def headings(vi: str, en: str) -> list[str]:
    """Names of columns, separated by `|` in both languages."""
    return say(vi, en).split("|")


def make_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415 - as above
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    piped = console().width == WIDE
    for column in columns:
        table.add_column(column, no_wrap=piped, overflow="fold")
    for row in rows:
        table.add_row(*map(cell, row))
    return table


def show_table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, empty: str) -> None:
    """A table, or the sentence that there is nothing."""
    if rows:
        console().print(make_table(columns, rows))
    else:
        say_line(empty)


def show_facts(facts: Iterable[tuple[str, object]]) -> None:
    """Names and values below each other."""
    from rich.table import Table  # noqa: PLC0415 - as above

    table = Table.grid(padding=(0, 2))
    for name, value in facts:
        table.add_row(cell(name), cell(value))
    console().print(table)


def when(instant: Instant | None) -> str:
    """The moment in the zone of this machine, for people."""
    if instant is None:
        return ""
    return to_datetime(instant).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def show_json(document: object) -> None:
    sys.stdout.write(json_text(document) + "\n")


def json_text(document: object) -> str:
    import orjson  # noqa: PLC0415 - late: not needed for --help

    return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()


def to_json(value: Any) -> Any:
    """A record as JSON members: camelCase, times (`…_at`) as RFC 3339."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value)]
        return to_json({name: getattr(value, name) for name in names})
    match value:
        case Mapping():
            return {camel(str(key)): _member(str(key), each) for key, each in value.items()}
        case Enum():
            return value.value
        case tuple() | list():
            return [to_json(each) for each in value]
        case _:
            return value


def _member(name: str, value: Any) -> Any:
    return to_iso(value) if name.endswith("_at") and isinstance(value, int) else to_json(value)


def camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


@contextmanager
def progress(what: str, total: int, *, least: int = 1000) -> Iterator[Callable[[int], None]]:
    """A bar on standard error for long work, where somebody watches; calls add to it."""
    if total < least or not sys.stderr.isatty():  # less is over at once
        yield lambda _done: None
        return
    from rich.progress import Progress  # noqa: PLC0415 - as above

    with Progress(console=console(stderr=True)) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.advance(task, done)
