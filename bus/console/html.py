"""HTML as text for what is only read: tables and facts are lighter so than as live elements.

Every piece goes through `escape` unless it is `Html`, which only the functions here make.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

_VOID = frozenset({"input", "img"})  # have no end (HTML, section 13.1.2)


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


Cell = str | int | float | None


def as_html(value: Cell) -> str:
    if isinstance(value, Html):
        return value
    return "—" if value is None or value == "" else escape(_printable(str(value)))


def _printable(text: str) -> str:
    """Without control characters, which partners' answers may hold."""
    return "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in text)


def tag(element: str, /, *inside: Cell, **attributes: str | None) -> Html:
    """`class_` for class, `data_x` for data-x; a None attribute is left out."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_printable(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if element in _VOID:
        return Html(f"<{element}{given}>")
    return Html(f"<{element}{given}>{''.join(map(as_html, inside))}</{element}>")


def join(*parts: Cell, by: str = " ") -> Html:
    return Html(escape(by).join(as_html(part) for part in parts if part not in (None, "")))


def link(text: Cell, href: str, class_: str | None = None) -> Html:
    return tag("a", text, href=href, class_=class_)


def code(text: str) -> Html:
    """Ids and the like: can be broken anywhere, copied whole."""
    return tag("code", text)


def table(
    caption: str, columns: Sequence[str], rows: Iterable[Sequence[Cell]], *, empty: str
) -> Html:
    """With a caption for those who cannot see where it stands."""
    body = [tag("tr", *(tag("td", cell) for cell in row)) for row in rows]
    if not body:
        return tag("p", empty, class_="empty")
    head = tag("tr", *(tag("th", column, scope="col") for column in columns))
    inside = tag(
        "table", tag("caption", caption), tag("thead", head), tag("tbody", *body), class_="data"
    )
    return tag("div", inside, class_="scroll", tabindex="0", role="region", aria_label=caption)


def facts(pairs: Iterable[tuple[str, Cell]]) -> Html:
    """Names and values below each other."""
    return tag(
        "dl",
        *(tag("div", tag("dt", name), tag("dd", value)) for name, value in pairs),
        class_="facts",
    )
