"""`lgsp endpoint list|pause|resume`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from bus.cli.lang import say
from bus.cli.options import Json
from bus.cli.output import headings, say_line, show_json, show_table, to_json, when
from bus.cli.session import Session
from schemas import instant
from schemas.delivery import DeliveryState
from schemas.errors import NotFound
from schemas.instant import to_iso

if TYPE_CHECKING:
    from bus.ledger.ledger import Ledger
    from bus.ops.endpoints import EndpointView

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


def _word(view: EndpointView) -> str:
    if view.paused:
        return f"‖ {say('tạm dừng', 'paused')}"
    if view.away(instant.now()) is not None:
        return f"‖ {say('đang bảo trì', 'in maintenance')}"
    if view.broken:
        return f"✗ {say('ngắt mạch', 'breaker open')}"
    return f"✓ {say('chạy', 'running')}"


def _as_json(view: EndpointView) -> dict[str, Any]:
    state = to_json(view.state) if view.state is not None else {}
    return {
        "name": view.name,
        "declared": view.declared is not None,
        "kind": view.declared.kind if view.declared is not None else None,
        "title": view.declared.title if view.declared is not None else "",
        "paused": state.get("paused", False),
        "pauseReason": state.get("pauseReason"),
        "maintenance": [
            each.model_dump(mode="json")
            for each in (view.declared.maintenance if view.declared is not None else ())
        ],
        "breaker": state.get("breaker", "closed"),
        "openedAt": state.get("openedAt"),
        "probeAt": state.get("probeAt"),
        "lastError": state.get("lastError"),
        "fetchedAt": to_iso(view.poll.good_at) if view.poll is not None else None,
        "fetchError": view.poll.error if view.poll is not None else None,
        "backlog": {each.value: view.counts.get(each, 0) for each in STATES},
        "oldest": to_iso(view.oldest),
    }


async def _views(ledger: Ledger) -> list[EndpointView]:
    # late: the ledger is not needed for --help
    from bus.ops.endpoints import views  # noqa: PLC0415

    return await views(ledger)


@endpoint_app.command(
    "list",
    help=say("Trạng thái, ngắt mạch, tồn đọng của mỗi điểm.", "State, breaker, backlog of each."),
)
def list_(context: typer.Context, *, json: Json = False) -> None:
    found = Session.of(context).run(_views)
    if json:
        show_json({"items": [_as_json(view) for view in found], "next": None})
        return
    columns = headings(
        "Tên|Loại|Trạng thái|Chờ|Đang gửi|Chờ gửi lại|Giữ|Hỏng|Cũ nhất|Lỗi gần nhất",
        "Name|Kind|State|Queued|Sending|Waiting|Held|Dead|Oldest|Last error",
    )
    cells = [
        (
            view.name,
            view.declared.kind if view.declared is not None else say("chưa khai báo", "undeclared"),
            _word(view),
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
        if all(view.name != name for view in await _views(ledger)):
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
