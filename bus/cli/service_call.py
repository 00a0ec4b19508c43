"""`lgsp service call|accesses`: one call as an operator, and who asked about whom."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from bus.cli.lang import say
from bus.cli.options import Json, Limit, Since, examples
from bus.cli.output import headings, show_json, show_table, to_json, when
from bus.cli.session import Session
from schemas.errors import InvalidRequest
from schemas.instant import to_iso

if TYPE_CHECKING:
    from bus.ledger.accesses import AccessRow
    from bus.ledger.ledger import Ledger
    from bus.settings import Settings


class _Who(NamedTuple):
    client: str
    officer: str
    purpose: str


def call(
    context: typer.Context,
    service: Annotated[str, typer.Argument(help=say("dịch vụ", "service, or service@version"))],
    operation: Annotated[str, typer.Argument(help=say("thao tác", "operation"))],
    *,
    data: Annotated[
        Path,
        typer.Option(
            "-d", "--data", allow_dash=True, help=say("tệp JSON; - đọc từ stdin", "JSON file or -")
        ),
    ],
    officer: Annotated[str, typer.Option(help=say("mã cán bộ", "officer"))] = "",
    purpose: Annotated[str, typer.Option(help=say("mục đích", "purpose"))] = "",
) -> None:
    request = sys.stdin.buffer.read() if str(data) == "-" else data.read_bytes()
    session = Session.of(context)
    who = _Who(session.actor, officer, purpose)
    settings = session.settings
    reply = session.run(lambda ledger: _call(ledger, settings, service, operation, request, who))
    show_json(reply)


async def _call(
    ledger: Ledger,
    settings: Settings,
    service: str,
    operation: str,
    request: bytes,
    who: _Who,
) -> dict[str, Any]:
    """As the gateway calls, with everything to be seen; written down as any other access."""
    # late: all of the gateway is behind it
    from adapters.http import open_session  # noqa: PLC0415
    from bus.app import partner_sessions  # noqa: PLC0415
    from bus.engine.live import LiveConfig  # noqa: PLC0415
    from bus.gateway.calling import Asker, Calls, Catalogue, Partners  # noqa: PLC0415
    from bus.ops import tracing  # noqa: PLC0415
    from bus.ops.metrics import Metrics  # noqa: PLC0415

    live = LiveConfig(ledger.config)
    await live.start()
    try:
        async with open_session() as http:
            served = await Catalogue(live, ledger.contracts).find(service)
            settled = served.service.settings(operation)
            if settled.needs_purpose and not who.purpose:
                raise InvalidRequest("--purpose is needed", vi="Cần --purpose", field="purpose")
            if settled.personal is not None and not who.officer:
                raise InvalidRequest("--officer is needed", vi="Cần --officer", field="officer")
            partners = Partners(http, settings.secret, partner_sessions(settings, ledger))
            calls = Calls(ledger, partners, settings.secret, Metrics())
            asker = Asker(who.client, "", tracing.start(), who.officer, who.purpose)
            return await calls.call(served, served.operation(operation), request, asker)
    finally:
        await live.close()


def accesses(
    context: typer.Context,
    *,
    subject: Annotated[
        str | None,
        typer.Option(help=say("số định danh; - đọc từ stdin", "the person's number; - from stdin")),
    ] = None,
    service: Annotated[str | None, typer.Option(help=say("dịch vụ", "service"))] = None,
    since: Since = None,
    limit: Limit = 50,
    json: Json = False,
) -> None:
    session = Session.of(context)
    person = sys.stdin.readline() if subject == "-" else subject
    key = _key(session.settings) if person is not None else b""

    async def find(ledger: Ledger) -> list[AccessRow]:
        from bus.ledger.accesses import READ, subject_hash  # noqa: PLC0415 - late: SQLAlchemy

        wanted = subject_hash(key, person) if person is not None else None
        found = await ledger.accesses.find(
            subject=wanted, service=service, since=since, limit=limit
        )
        about = {"subject": wanted.hex()} if wanted else {}
        await ledger.note(READ, actor=session.actor, data=about)
        return found

    rows = session.run(find)
    if json:
        show_json({"items": [to_json(each) | {"at": to_iso(each.at)} for each in rows]})
        return
    columns = headings(
        "Lúc|Dịch vụ|Thao tác|Hệ thống|Cơ quan|Cán bộ|Mục đích|Trường|Kết quả",
        "At|Service|Operation|Client|Agency|Officer|Purpose|Fields|Outcome",
    )
    cells = [
        (
            when(each.at),
            each.service,
            each.operation,
            each.client,
            each.agency,
            each.officer,
            each.purpose,
            each.fields,
            each.outcome,
        )
        for each in rows
    ]
    show_table(columns, cells, empty=say("Chưa có lượt tra cứu nào.", "No accesses."))


def _key(settings: Settings) -> bytes:
    from bus.ledger.accesses import SUBJECT_KEY  # noqa: PLC0415 - late: SQLAlchemy

    return settings.secret(SUBJECT_KEY)


def add_to(app: typer.Typer) -> None:
    app.command(
        help=say(
            "Gọi một thao tác bằng JSON, với mọi trường; được ghi lại như mọi lượt tra cứu.",
            "Call an operation in JSON and see every field; written down as any access is.",
        )
        + examples("lgsp service call dan-cu TraCuu -d hoi.json --officer CB-01 --purpose 'thử'")
    )(call)
    app.command(
        help=say(
            "Ai đã tra cứu dữ liệu cá nhân: về một người, hoặc mới nhất. Lần xem này được ghi.",
            "Who asked for personal data: about one person, or the latest. Looking is journalled.",
        )
        + examples("lgsp service accesses --subject - <so-dinh-danh.txt")
    )(accesses)
