"""`lgsp feed list|show`: how far registers' changes have come, and what still waits for whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from bus.cli.lang import say
from bus.cli.options import Json, examples
from bus.cli.output import headings, show_facts, show_json, show_table, when
from bus.cli.session import Session
from schemas.errors import NotFound
from schemas.instant import SECOND, to_iso

if TYPE_CHECKING:
    from bus.ledger.data_feeds import Backlog, FeedState
    from bus.ledger.ledger import Ledger
    from schemas.service import Feed

feed_app = typer.Typer(
    no_args_is_help=True,
    help=say(
        "Đăng ký nhận thay đổi: con trỏ, độ trễ, nơi nhận còn chờ gì.",
        "Feeds of changes: their cursor, their lag, and what still waits for the subscriber.",
    ),
)


class _Row(NamedTuple):
    feed: Feed
    state: FeedState | None  # none: it was never asked
    backlog: Backlog | None  # none: nothing waits
    lag: float | None  # seconds since everything there was had arrived; none: never asked

    @property
    def condition(self) -> str:
        if self.feed.suspended:
            return say("tạm dừng", "suspended")
        if self.state is None:
            return say("chưa hỏi", "not asked yet")
        return say("lỗi", "failing") if self.state.failures else say("tốt", "good")


@feed_app.command(
    "list",
    help=say(
        "Mọi đăng ký: nơi nhận, hỏi lần cuối, số thay đổi còn chờ và độ trễ.",
        "All feeds: who gets them, when they were last asked, how many changes wait, and the lag.",
    )
    + examples("lgsp feed list", "lgsp feed list --json"),
)
def list_feeds(context: typer.Context, *, json: Json = False) -> None:
    rows = Session.of(context).run(_rows)
    if json:
        show_json({"items": [_members(each) for each in rows]})
        return
    columns = headings(
        "Tên|Cơ quan|Dịch vụ|Tình trạng|Hỏi lần cuối|Hỏi tiếp|Còn chờ|Độ trễ",
        "Name|Agency|Service|Condition|Asked|Asked next|Waiting|Lag",
    )
    cells = [
        (
            each.feed.name,
            each.feed.agency,
            f"{each.feed.service}/{each.feed.operation}",
            each.condition,
            when(each.state.good_at) if each.state else "",
            when(each.state.due_at) if each.state else "",
            each.backlog.count if each.backlog else 0,
            _span(each.lag),
        )
        for each in rows
    ]
    show_table(columns, cells, empty=say("Chưa có đăng ký nào.", "No feeds."))


@feed_app.command(
    "show",
    help=say(
        "Một đăng ký: con trỏ, lỗi lần cuối, thay đổi cũ nhất nơi nhận chưa lấy.",
        "One feed: its cursor, its last error, the oldest change its subscriber has not taken.",
    )
    + examples("lgsp feed show dan-toc"),
)
def show(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help=say("tên đăng ký", "name of the feed"))],
    *,
    json: Json = False,
) -> None:
    rows = {each.feed.name: each for each in Session.of(context).run(_rows)}
    if name not in rows:
        raise NotFound(f"no feed {name[:60]}", vi=f"không có đăng ký {name[:60]}")
    row = rows[name]
    if json:
        show_json(_members(row))
        return
    feed, state, backlog = row.feed, row.state, row.backlog
    show_facts(
        [
            (say("Tên", "Name"), feed.name),
            (say("Cơ quan nhận", "Subscriber"), feed.agency),
            (say("Dịch vụ", "Service"), f"{feed.service}/{feed.operation}"),
            (say("Tình trạng", "Condition"), row.condition),
            (say("Con trỏ", "Cursor"), state.cursor if state else ""),
            (say("Hỏi tốt lần cuối", "Last asked well"), when(state.good_at) if state else ""),
            (say("Hỏi tiếp", "Asked next"), when(state.due_at) if state else ""),
            (say("Lỗi liên tiếp", "Failures in a row"), state.failures if state else 0),
            (say("Lỗi lần cuối", "Last error"), (state.error if state else None) or ""),
            (say("Còn chờ", "Waiting"), backlog.count if backlog else 0),
            (say("Cũ nhất từ", "Oldest since"), when(backlog.since) if backlog else ""),
            (say("Độ trễ", "Lag"), _span(row.lag)),
        ]
    )


async def _rows(ledger: Ledger) -> list[_Row]:
    province = await ledger.config.province()
    states = {each.name: each for each in await ledger.feeds.states()}
    backlogs = await ledger.feeds.backlogs()
    now = ledger.clock()
    rows = []
    for feed in sorted(province.feeds, key=lambda each: each.name):
        state, backlog = states.get(feed.name), backlogs.get(feed.name)
        asked = state.good_at if state is not None else None
        since = [each for each in (asked, backlog.since if backlog else None) if each is not None]
        lag = max(now - min(since), 0) / SECOND if since else None
        rows.append(_Row(feed, state, backlog, lag))
    return rows


def _span(seconds: float | None) -> str:
    if seconds is None:
        return ""
    whole = int(seconds)
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if whole >= size:
            return f"{whole // size}{unit}"
    return f"{whole}s"


def _members(row: _Row) -> dict[str, Any]:
    state, backlog = row.state, row.backlog
    good = state.good_at if state else None
    return {
        "name": row.feed.name,
        "agency": row.feed.agency,
        "service": row.feed.service,
        "operation": row.feed.operation,
        "suspended": row.feed.suspended,
        "cursor": state.cursor if state else "",
        "askedAt": None if good is None else to_iso(good),
        "dueAt": None if state is None else to_iso(state.due_at),
        "failures": state.failures if state else 0,
        "error": state.error if state else None,
        "waiting": backlog.count if backlog else 0,
        "waitingSince": None if backlog is None else to_iso(backlog.since),
        "lagSeconds": row.lag,
    }


def add_to(app: typer.Typer) -> None:
    app.add_typer(feed_app, name="feed", rich_help_panel=say("Khai báo", "Declare"))
