"""`lgsp delivery list|replay|cancel`."""

from __future__ import annotations

from typing import Annotated

import typer

from bus.cli.lang import say
from bus.cli.mending import mend
from bus.cli.message import show_deliveries
from bus.cli.options import CodeFilter, EndpointFilter, Json, Limit, Since, Yes, examples
from bus.cli.output import note, show_json, to_json
from bus.cli.session import Session
from bus.ops.mending import CANCEL, REPLAY, UNDO_REPLAY, Act, Choice
from schemas.delivery import DeliveryState

delivery_app = typer.Typer(no_args_is_help=True, help=say("Chuyển phát.", "Deliveries."))

States = Annotated[
    list[DeliveryState] | None,
    typer.Option("--state", help=say("trạng thái; nhiều lần được", "state; may be repeated")),
]
MessageFilter = Annotated[
    str | None, typer.Option("--message", help=say("mã thông điệp", "id of the message"))
]
Ids = Annotated[
    list[int] | None,
    typer.Argument(metavar=say("MÃ", "ID"), help=say("mã chuyển phát", "delivery ids")),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help=say("chỉ nêu sẽ làm gì", "only say what would be done"))
]
Reason = Annotated[
    str, typer.Option("--reason", help=say("lý do, ghi vào nhật ký", "reason, for the journal"))
]


@delivery_app.command(
    "list",
    help=say("Chuyển phát, mới nhất trước.", "Deliveries, newest first.")
    + examples(
        "lgsp delivery list --state dead", "lgsp delivery list --endpoint so-y-te --since 1d"
    ),
)
def list_(
    context: typer.Context,
    *,
    state: States = None,
    endpoint: EndpointFilter = None,
    code: CodeFilter = None,
    message: MessageFilter = None,
    since: Since = None,
    after: Annotated[
        int | None, typer.Option(help=say("trang sau chuyển phát này", "page after this delivery"))
    ] = None,
    limit: Limit = 50,
    json: Json = False,
) -> None:
    rows = Session.of(context).run(
        lambda ledger: ledger.queries.deliveries(
            states=state or (),
            endpoint=endpoint,
            code=code,
            message_id=message,
            since=since,
            after=after,
            limit=limit,
        )
    )
    following = rows[-1].id if len(rows) == limit else None
    if json:
        show_json({"items": to_json(rows), "next": following})
        return
    show_deliveries(rows)
    if following:
        note(say(f"Trang sau: --after {following}", f"Next page: --after {following}"))


@delivery_app.command(
    "replay",
    help=say(
        "Gửi lại chuyển phát đã hỏng (dead): theo mã, hoặc nhiều cái theo bộ lọc.",
        "Send dead deliveries again: by id, or many by filter.",
    )
    + examples(
        "lgsp delivery replay 4711",
        "lgsp delivery replay --endpoint so-y-te --code partner-timeout --dry-run",
        "lgsp delivery replay --state dead --rate 50 --yes",
        "lgsp delivery replay --undo --endpoint so-y-te --yes",
    ),
)
def replay(
    context: typer.Context,
    ids: Ids = None,
    *,
    state: States = None,
    endpoint: EndpointFilter = None,
    code: CodeFilter = None,
    message: MessageFilter = None,
    since: Since = None,
    rate: Annotated[
        float | None,
        typer.Option(min=0.1, help=say("nhiều nhất mỗi giây", "most deliveries a second")),
    ] = None,
    undo: Annotated[
        bool,
        typer.Option(
            "--undo",
            help=say(
                "rút lại: cái chưa rời trục trở về dead", "what has not left yet is dead again"
            ),
        ),
    ] = False,
    reason: Reason = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    json: Json = False,
) -> None:
    choice = Choice(tuple(ids or ()), tuple(state or ()), endpoint, code, message, since)
    act = UNDO_REPLAY if undo else REPLAY
    _mend(context, act, choice, reason=reason, dry_run=dry_run, yes=yes, json=json, rate=rate)


@delivery_app.command(
    "cancel",
    help=say(
        "Hủy chuyển phát chưa rời trục: theo mã, hoặc nhiều cái theo bộ lọc.",
        "Withdraw deliveries that have not left: by id, or many by filter.",
    )
    + examples(
        "lgsp delivery cancel 4711 --reason 'ban hành nhầm'",
        "lgsp delivery cancel --endpoint so-y-te --state held --since 1d --dry-run",
    ),
)
def cancel(
    context: typer.Context,
    ids: Ids = None,
    *,
    state: States = None,
    endpoint: EndpointFilter = None,
    code: CodeFilter = None,
    message: MessageFilter = None,
    since: Since = None,
    reason: Reason = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    json: Json = False,
) -> None:
    choice = Choice(tuple(ids or ()), tuple(state or ()), endpoint, code, message, since)
    _mend(context, CANCEL, choice, reason=reason, dry_run=dry_run, yes=yes, json=json)


def _mend(
    context: typer.Context,
    act: Act,
    choice: Choice,
    *,
    reason: str,
    dry_run: bool,
    yes: bool,
    json: bool,
    rate: float | None = None,
) -> None:
    session = Session.of(context)
    mend(session, act, choice, reason=reason, dry_run=dry_run, yes=yes, json=json, rate=rate)


def add_to(app: typer.Typer) -> None:
    panel = say("Xem dòng chảy", "See the flow")
    app.add_typer(delivery_app, name="delivery", rich_help_panel=panel)
