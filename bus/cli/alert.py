"""`lgsp alert list|show|silence|test`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bus.cli.failure import PROBLEM
from bus.cli.lang import say, spoken
from bus.cli.options import Json, Limit, examples, parse_seconds
from bus.cli.output import headings, say_line, show_facts, show_json, show_table, to_json, when
from bus.cli.session import Session
from schemas import instant
from schemas.errors import ConfigurationError, Text
from schemas.instant import SECOND, to_iso

if TYPE_CHECKING:
    from bus.ledger.alerts import AlertRow, Silence
    from bus.ledger.ledger import Ledger
    from bus.settings import Settings

alert_app = typer.Typer(no_args_is_help=True, help=say("Cảnh báo.", "Alerts."))

SEVERITIES = {"critical": ("✗", "bold red"), "warning": ("!", "yellow")}
_NUMBER = re.compile(r"\d{1,18}")


@alert_app.command(
    "list",
    help=say(
        "Cảnh báo còn mở và những gì đang tắt tiếng. Mã thoát 1 nếu có cảnh báo nghiêm trọng.",
        "Open alerts, and what is silenced. Exit status 1 when one is critical.",
    ),
)
def list_(
    context: typer.Context,
    *,
    all_: Annotated[
        bool, typer.Option("--all", help=say("cả những cảnh báo đã hết", "resolved ones, too"))
    ] = False,
    limit: Limit = 50,
    json: Json = False,
) -> None:
    rows, silences = Session.of(context).run(lambda ledger: _read(ledger, all_, limit))
    if json:
        show_json(
            {
                "items": [as_json(row) for row in rows],
                "silences": [to_json(each) | {"until": to_iso(each.until)} for each in silences],
                "next": None,
            }
        )
    else:
        columns = headings(
            "Số|Mức|Từ|Hết lúc|Khóa|Chuyện gì", "No|Severity|Since|Resolved|Key|What"
        )
        cells = [
            (
                row.id,
                f"{SEVERITIES[row.severity][0]} {row.severity}",
                when(row.since),
                when(row.resolved_at),
                row.key,
                spoken(row.what),
            )
            for row in rows
        ]
        show_table(columns, cells, empty=say("✓ Không có cảnh báo.", "✓ No alerts."))
        for each in silences:
            say_line(
                say(
                    f"‖ tắt tiếng {each.pattern} tới {when(each.until)}: {each.reason}",
                    f"‖ silenced {each.pattern} until {when(each.until)}: {each.reason}",
                )
            )
    if any(row.severity == "critical" and row.resolved_at is None for row in rows):
        raise typer.Exit(PROBLEM)


async def _read(ledger: Ledger, all_: bool, limit: int) -> tuple[list[AlertRow], list[Silence]]:
    if all_:
        rows = await ledger.alerts.raised(limit=limit)
    else:
        unresolved = await ledger.alerts.unresolved()
        raised = [row for row in unresolved if row.raised_at is not None]
        rows = sorted(raised, key=lambda row: (row.severity, row.since))[:limit]
    return rows, await ledger.alerts.silences(ledger.clock())


def as_json(row: AlertRow) -> dict[str, object]:
    """As `webhook` tells it, with what only the ledger knows."""
    from bus.ops.alerts import wording  # noqa: PLC0415 - late: `lgsp --help` does without

    return wording.as_json(row) | {"seenAt": to_iso(row.seen_at), "toldAt": to_iso(row.told_at)}


@alert_app.command(
    "show",
    help=say("Chuyện gì, có thể do đâu, làm gì tiếp.", "What, the likely cause, what to do next."),
)
def show(
    context: typer.Context,
    number: Annotated[int, typer.Argument(metavar=say("SỐ", "NUMBER"))],
    *,
    json: Json = False,
) -> None:
    row = Session.of(context).run(lambda ledger: ledger.alerts.alert(number))
    if json:
        show_json(as_json(row))
        return
    mark, style = SEVERITIES[row.severity]
    say_line(f"{mark} {spoken(row.what)}", style=style)
    show_facts(
        [
            (say("Có thể do", "Likely cause"), spoken(row.cause)),
            (say("Việc cần làm", "Next step"), spoken(row.step)),
            (say("Thủ phạm", "Culprit"), row.culprit),
            (say("Khóa", "Key"), row.key),
            (say("Từ", "Since"), when(row.since)),
            (say("Báo lúc", "Raised"), when(row.raised_at)),
            (say("Đã gửi lúc", "Told"), when(row.told_at)),
            (say("Hết lúc", "Resolved"), when(row.resolved_at)),
        ]
    )


@alert_app.command(
    "silence",
    help=say(
        "Không gửi cảnh báo này tới kênh nào, trong một thời hạn; vẫn hiện trong danh sách.",
        "Tell no channel of it for a time; it stays in the list.",
    )
    + examples(
        "lgsp alert silence 17 --for 2h --reason bảo-trì",
        "lgsp alert silence 'backlog-age:so-y-te/*' --for 7d --reason thay-máy-chủ",
        "lgsp alert silence 17 --for 0s --reason xong",
    ),
)
def silence(
    context: typer.Context,
    what: Annotated[
        str,
        typer.Argument(
            metavar=say("SỐ|KHÓA", "NUMBER|KEY"),
            help=say("số của cảnh báo, hoặc khóa với *", "an alert's number, or a key with *"),
        ),
    ],
    *,
    for_: Annotated[
        int,
        typer.Option(
            "--for",
            parser=parse_seconds,
            metavar="90s|30m|2h|7d",
            help=say("bao lâu; 0s: thôi tắt tiếng", "how long; 0s ends the silence"),
        ),
    ],
    reason: Annotated[
        str, typer.Option(help=say("lý do, ghi vào nhật ký", "reason, for the journal"))
    ],
    json: Json = False,
) -> None:
    session = Session.of(context)
    until = instant.now() + for_ * SECOND
    pattern = session.run(lambda ledger: _silence(ledger, what, until, reason, session.actor))
    if json:
        show_json({"pattern": pattern, "until": to_iso(until)})
    elif for_:
        say_line(
            say(f"‖ tắt tiếng {pattern} tới {when(until)}", f"‖ {pattern} until {when(until)}")
        )
    else:
        say_line(say(f"✓ {pattern} lại được báo", f"✓ {pattern} is told again"))


async def _silence(ledger: Ledger, what: str, until: int, reason: str, actor: str) -> str:
    from bus.ledger import alerts  # noqa: PLC0415 - as above

    pattern = (await ledger.alerts.alert(int(what))).key if _NUMBER.fullmatch(what) else what
    await ledger.act(
        lambda tx, chain, now: alerts.silence(
            tx, chain, now, pattern, until=until, reason=reason, actor=actor
        )
    )
    return pattern


@alert_app.command(
    "test",
    help=say(
        "Gửi một tin thử tới mỗi kênh. Mã thoát 1 nếu có kênh không nhận.",
        "Tell every channel something, to see. Exit status 1 when one did not take it.",
    ),
)
def try_channels(context: typer.Context, *, json: Json = False) -> None:
    import asyncio  # noqa: PLC0415 - as above

    settings = Session.of(context).settings
    if not settings.alerts.channels:
        raise ConfigurationError(
            "No channel is set: the administrator sets alerts.email or alerts.webhook.",
            vi="Chưa đặt kênh nào: quản trị trục đặt alerts.email hoặc alerts.webhook.",
        )
    found = asyncio.run(_test(settings))
    if json:
        show_json({"items": [{"channel": name, "error": error} for name, error in found.items()]})
    else:
        for name, error in found.items():
            mark = "✓" if error is None else "✗"
            told = say("đã nhận", "taken") if error is None else error
            say_line(f"{mark} {name}: {told}", style="green" if error is None else "red")
    if any(found.values()):
        raise typer.Exit(PROBLEM)


async def _test(settings: Settings) -> dict[str, str | None]:
    """By channel: None, or why it did not take the letter."""
    from adapters.http import open_session  # noqa: PLC0415 - as above
    from bus.app import secret_finder  # noqa: PLC0415
    from bus.ops.alerts import channels  # noqa: PLC0415

    found: dict[str, str | None] = {}
    http = open_session()
    try:
        for channel in channels.create(settings.alerts, http, secret_finder(settings)):
            try:
                await channel.tell(_letter())
            except channels.NotTold as error:
                found[channel.name] = str(error)
            else:
                found[channel.name] = None
    finally:
        await http.close()
    return found


def _letter() -> Any:
    from bus.ledger.alerts import AlertRow  # noqa: PLC0415 - as above
    from bus.ops.alerts.wording import Letter, Told  # noqa: PLC0415

    now = instant.now()
    alert = AlertRow(
        id=0,
        key="test:test",
        rule="test",
        culprit="bus:test",
        severity="warning",
        what=Text("Tin thử từ lgsp alert test", "A test by lgsp alert test"),
        cause=Text("Người vận hành đang thử kênh", "An operator tries the channel"),
        step=Text("Không cần làm gì", "Nothing"),
        since=now,
        seen_at=now,
        raised_at=now,
        told_at=now,
        resolved_at=None,
    )
    return Letter(f"test-{now}", "bus:test", [Told("raised", alert)])


def add_to(app: typer.Typer) -> None:
    app.add_typer(alert_app, name="alert", rich_help_panel=say("Sức khỏe", "Health"))
