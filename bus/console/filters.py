"""What pages of figures let a person choose: period and agency, kept in the address."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from urllib.parse import urlencode

from bus.console.frame import View
from bus.console.html import Cell, Html, join, link, tag
from bus.ops.report_words import period_of
from bus.ops.reports import Period, parse_period
from schemas.errors import Forbidden
from schemas.vietnam import day_of

MONTHS, QUARTERS, YEARS = 6, 4, 2
"""Periods offered, the present one among them; any other can be written into the address."""


def chosen_agencies(view: View) -> frozenset[str] | None:
    """The one that is asked for, within what the person may see. Raises Forbidden."""
    code = view.given("agency").upper()
    if not code:
        return view.visitor.agencies
    if not view.visitor.sees(code):
        raise Forbidden(f"not your agency: {code}", vi=f"không phải cơ quan của bạn: {code}")
    return frozenset({code})


def chosen_period(view: View) -> Period:
    """This month, when none is given. Raises InvalidRequest."""
    today = day_of(view.ledger.clock())
    return parse_period(view.given("period") or f"{today:%Y-%m}")


def form(view: View, path: str, *, period: Period | None, more: Iterable[Html] = ()) -> Html:
    """A plain form: what is chosen is in the address, which can be kept and shared."""
    say, parts = view.say, list(more)
    if period is not None:
        parts.append(select(say("Kỳ", "Period"), "period", _periods(view, period), period.name))
    return tag(
        "form",
        *parts,
        agency_field(view),
        tag("button", say("Xem", "Show"), type="submit"),
        method="get",
        action=path,
        class_="filters",
    )


def agency_field(view: View) -> Html:
    own = view.visitor.agencies
    label = view.say("Cơ quan", "Agency")
    if own is not None:
        options = [(code, view.agency(code)) for code in sorted(own)]
        every = [("", view.say("tất cả của tôi", "all of mine"))] if len(own) > 1 else []
        return select(label, "agency", [*every, *options], view.given("agency").upper())
    given = {"name": "agency", "id": "agency", "value": view.given("agency"), "type": "search"}
    hint = view.say("mã; để trống: tất cả", "code; empty: all")
    return tag("div", tag("label", label, for_="agency"), tag("input", **given, placeholder=hint))


def select(label: str, name: str, options: Iterable[tuple[str, str]], chosen: str) -> Html:
    inside = [
        tag("option", text, value=value, selected="selected" if value == chosen else None)
        for value, text in options
    ]
    return tag("div", tag("label", label, for_=name), tag("select", *inside, id=name, name=name))


def _periods(view: View, chosen: Period) -> list[tuple[str, str]]:
    today = day_of(view.ledger.clock())
    names = [f"{today:%Y-%m-%d}", f"{today - timedelta(days=1):%Y-%m-%d}"]
    for back in range(MONTHS):
        year, month = divmod(today.year * 12 + today.month - 1 - back, 12)
        names.append(f"{year}-{month + 1:02d}")
    for back in range(QUARTERS):
        year, quarter = divmod(today.year * 4 + (today.month - 1) // 3 - back, 4)
        names.append(f"{year}-Q{quarter + 1}")
    names += [str(today.year - back) for back in range(YEARS)]
    if chosen.name not in names:
        names.append(chosen.name)
    return [(name, period_of(parse_period(name), view.say.lang)) for name in names]


def with_query(path: str, **parameters: str) -> str:
    chosen = {name: value for name, value in parameters.items() if value}
    return f"{path}?{urlencode(chosen)}" if chosen else path


def figures(content: Html, *, texts: int = 1) -> Html:
    """A table of numbers behind so many columns of text: they stand under each other."""
    return tag("div", content, class_=f"figures texts-{texts}")


def counted(view: View, number: int, href: str) -> Cell:
    """A number that leads to what it counts; nothing leads nowhere."""
    return link(view.say.number(number), href) if number else "0"


def next_page(view: View, path: str, after: str) -> Html:
    kept = {key: value for key, value in view.request.query_params.items() if key != "after"}
    following = view.say("Trang sau", "Next page")
    return tag("p", link(join(following, "→"), with_query(path, **kept, after=after)))
