"""`lgsp endpoint list|pause|resume`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bus.cli.lang import say
from bus.cli.options import Json
from bus.cli.output import headings, say_line, show_json, show_table, to_json, when
from bus.cli.session import Session
from schemas.delivery import DeliveryState
from schemas.errors import NotFound
from schemas.instant import Instant, to_iso

if TYPE_CHECKING:
    from bus.ledger.ledger import Ledger
    from bus.ledger.records import Backlog, EndpointState, Poll
    from schemas.province import Endpoint

endpoint_app = typer.Typer(no_args_is_help=True, help=say("Điểm kết nối.", "Endpoints."))

Name = Annotated[
    str, typer.Argument(metavar=say("TÊN", "NAME"), help=say("điểm kết nối", "its name"))
]
Reason = Annotated[str, typer.Option(help=say("lý do, ghi vào nhật ký", "reason, for the journal"))]
STATES = (
    DeliveryState.QUEUED,
    DeliveryState.SENDING,
    DeliveryState.WAITING,
    DeliveryState.HELD,
    DeliveryState.DEAD,
)


@dataclass(slots=True)
class View:
    """One endpoint: what is declared, what was said of it, what waits for it."""

    name: str
    declared: Endpoint | None = None
    state: EndpointState | None = None
    poll: Poll | None = None
    counts: dict[DeliveryState, int] = field(default_factory=dict)
    oldest: Instant | None = None

    def add(self, group: Backlog) -> None:
        self.counts[group.state] = self.counts.get(group.state, 0) + group.count
        self.oldest = min(self.oldest or group.oldest, group.oldest)

    @property
    def word(self) -> str:
        if self.state is not None and self.state.paused:
            return f"‖ {say('tạm dừng', 'paused')}"
        if self.state is not None and self.state.breaker == "open":
            return f"✗ {say('ngắt mạch', 'breaker open')}"
        return f"✓ {say('chạy', 'running')}"

    def as_json(self) -> dict[str, Any]:
        state = to_json(self.state) if self.state is not None else {}
        return {
            "name": self.name,
            "declared": self.declared is not None,
            "kind": self.declared.kind if self.declared is not None else None,
            "title": self.declared.title if self.declared is not None else "",
            "paused": state.get("paused", False),
            "pauseReason": state.get("pauseReason"),
            "breaker": state.get("breaker", "closed"),
            "openedAt": state.get("openedAt"),
            "probeAt": state.get("probeAt"),
            "lastError": state.get("lastError"),
            "fetchedAt": to_iso(self.poll.good_at) if self.poll is not None else None,
            "fetchError": self.poll.error if self.poll is not None else None,
            "backlog": {each.value: self.counts.get(each, 0) for each in STATES},
            "oldest": to_iso(self.oldest),
        }


async def views(ledger: Ledger) -> list[View]:
    """Every endpoint that is declared, has a state, or has open deliveries; by name."""
    declared = (await ledger.config.province()).endpoints
    states = await ledger.queries.endpoint_states()
    backlog = await ledger.queries.backlog()
    found = combine(declared, states.values(), backlog)
    polls = await ledger.queries.polls()
    for view in found:
        view.poll = polls.get(view.name)
    return found


def combine(
    declared: Iterable[Endpoint], states: Iterable[EndpointState], backlog: Iterable[Backlog]
) -> list[View]:
    found: dict[str, View] = {}

    def view(name: str) -> View:
        return found.setdefault(name, View(name))

    for endpoint in declared:
        view(endpoint.name).declared = endpoint
    for state in states:
        view(state.endpoint).state = state
    for group in backlog:
        view(group.endpoint).add(group)
    return [found[name] for name in sorted(found)]


@endpoint_app.command(
    "list",
    help=say("Trạng thái, ngắt mạch, tồn đọng của mỗi điểm.", "State, breaker, backlog of each."),
)
def list_(context: typer.Context, *, json: Json = False) -> None:
    found = Session.of(context).run(views)
    if json:
        show_json({"items": [view.as_json() for view in found], "next": None})
        return
    columns = headings(
        "Tên|Loại|Trạng thái|Chờ|Đang gửi|Chờ gửi lại|Giữ|Hỏng|Cũ nhất|Lỗi gần nhất",
        "Name|Kind|State|Queued|Sending|Waiting|Held|Dead|Oldest|Last error",
    )
    cells = [
        (
            view.name,
            view.declared.kind if view.declared is not None else say("chưa khai báo", "undeclared"),
            view.word,
            *(view.counts.get(state, 0) for state in STATES),
            when(view.oldest),
            view.state.last_error if view.state is not None else "",
        )
        for view in found
    ]
    show_table(columns, cells, empty=say("Chưa khai báo điểm kết nối nào.", "No endpoints."))


@endpoint_app.command(
    "pause",
    help=say(
        "Ngừng gửi tới một điểm; tiếp nhận vẫn chạy.", "Stop sending to it; accepting goes on."
    ),
)
def pause(context: typer.Context, name: Name, *, reason: Reason = "", json: Json = False) -> None:
    _set(context, name, paused=True, reason=reason, json=json)


@endpoint_app.command("resume", help=say("Gửi tiếp.", "Send again."))
def resume(context: typer.Context, name: Name, *, reason: Reason = "", json: Json = False) -> None:
    _set(context, name, paused=False, reason=reason, json=json)


def _set(context: typer.Context, name: str, *, paused: bool, reason: str, json: bool) -> None:
    session = Session.of(context)

    async def act(ledger: Ledger) -> None:
        if all(view.name != name for view in await views(ledger)):
            raise NotFound(f"no endpoint {name[:60]}", vi=f"không có điểm kết nối {name[:60]}")
        await ledger.set_paused(name, paused=paused, actor=session.actor, reason=reason)

    session.run(act)
    if json:
        show_json({"name": name, "paused": paused})
    elif paused:
        say_line(say(f"‖ {name}: tạm dừng", f"‖ {name}: paused"))
    else:
        say_line(say(f"✓ {name}: chạy tiếp", f"✓ {name}: running"))


def add_to(app: typer.Typer) -> None:
    panel = say("Xem dòng chảy", "See the flow")
    app.add_typer(endpoint_app, name="endpoint", rich_help_panel=panel)
