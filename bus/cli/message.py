"""`lgsp message list|show|trace`, `lgsp explain`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from bus.cli.lang import LANG, say, spoken
from bus.cli.options import Json, Limit, Since, examples
from bus.cli.output import (
    headings,
    note,
    say_line,
    show_facts,
    show_json,
    show_table,
    to_json,
    when,
)
from bus.cli.session import Session
from schemas.errors import NotFound

if TYPE_CHECKING:
    from bus.ledger.ledger import Ledger
    from bus.ledger.records import DeliveryRow, JournalRow, MessageRow

T = TypeVar("T")
message_app = typer.Typer(no_args_is_help=True, help=say("Thông điệp.", "Messages."))

MessageId = Annotated[
    str, typer.Argument(metavar=say("THÔNG_ĐIỆP", "MESSAGE"), help=say("mã thông điệp", "its id"))
]
JOURNAL_PAGE = 500


@message_app.command(
    "list",
    help=say("Thông điệp đã tiếp nhận, mới nhất trước.", "Accepted messages, newest first.")
    + examples("lgsp message list --since 2h", "lgsp message list --sender H38.01 --json"),
)
def list_(
    context: typer.Context,
    *,
    sender: Annotated[
        str | None, typer.Option(help=say("mã cơ quan gửi", "code of sender"))
    ] = None,
    document: Annotated[
        str | None, typer.Option(help=say("mã văn bản (DocumentId)", "document id"))
    ] = None,
    kind: Annotated[
        str | None, typer.Option(help=say("loại", "kind") + ": document, status")
    ] = None,
    since: Since = None,
    after: Annotated[
        str | None, typer.Option(help=say("trang sau thông điệp này", "page after this message"))
    ] = None,
    limit: Limit = 50,
    json: Json = False,
) -> None:
    rows = Session.of(context).run(
        lambda ledger: ledger.queries.messages(
            agencies=None,
            sender=sender,
            document_id=document,
            kind=kind,
            since=since,
            after=after,
            limit=limit,
        )
    )
    following = rows[-1].id if len(rows) == limit else None
    if json:
        show_json({"items": to_json(rows), "next": following})
        return
    columns = headings(
        "id|Tiếp nhận|Gửi|Nhận|Loại|Số ký hiệu|Luồng|Byte",
        "id|Accepted|Sender|Receivers|Kind|Document|Lane|Bytes",
    )
    cells = [
        (m.id, when(m.accepted_at), m.sender, m.receivers, m.kind, m.document_code, m.lane, m.size)
        for m in rows
    ]
    show_table(columns, cells, empty=say("Không có thông điệp nào.", "No messages."))
    if following:
        note(say(f"Trang sau: --after {following}", f"Next page: --after {following}"))


@message_app.command(
    "show", help=say("Một thông điệp và các chuyển phát.", "One message and its deliveries.")
)
def show(context: typer.Context, message: MessageId, *, json: Json = False) -> None:
    async def read(ledger: Ledger) -> tuple[MessageRow, list[DeliveryRow]]:
        found = await existing(ledger.queries.message, message)
        return found, await ledger.queries.deliveries_of(message)

    found, deliveries = Session.of(context).run(read)
    if json:
        show_json(to_json(found) | {"deliveries": to_json(deliveries)})
        return
    show_facts(_facts(found))
    show_deliveries(deliveries)


@message_app.command(
    "trace",
    help=say("Nhật ký của một thông điệp theo thời gian.", "What happened to a message, in time."),
)
def trace(context: typer.Context, message: MessageId, *, json: Json = False) -> None:
    async def read(ledger: Ledger) -> list[JournalRow]:
        await existing(ledger.queries.message, message)
        return await journal_of(ledger, message)

    entries = Session.of(context).run(read)
    if json:
        show_json({"messageId": message, "items": to_json(entries)})
        return
    # late: the ledger's errors are behind it
    from bus.ops.journal_words import tell  # noqa: PLC0415

    columns = headings("Lúc|Việc|Chuyển phát|Ai|Chi tiết", "Time|Event|Delivery|Who|Details")
    cells = [
        (
            when(e.at),
            spoken(tell(e).text),
            e.delivery_id,
            e.actor,
            f"{e.event} {details(e.data)}",
        )
        for e in entries
    ]
    show_table(columns, cells, empty=say("Không có nhật ký.", "Nothing journalled."))


def explain(context: typer.Context, message: MessageId, *, json: Json = False) -> None:
    stored = Session.of(context).run(lambda ledger: existing(ledger.queries.decision, message))
    # late: pydantic is behind it
    from routing.decision import Decision, explain_lines  # noqa: PLC0415

    decision = Decision.from_json(stored)
    if json:
        show_json({"messageId": message, "decision": _decision_json(decision)})
        return
    for line in explain_lines(decision, LANG):
        say_line(line)


async def existing(read: Callable[[str], Awaitable[T | None]], message_id: str) -> T:
    """What is known under this id. Raises NotFound."""
    found = await read(message_id)
    if found is None:
        raise NotFound(f"no message {message_id[:60]}", vi=f"không có thông điệp {message_id[:60]}")
    return found


async def journal_of(ledger: Ledger, message_id: str) -> list[JournalRow]:
    """All entries about a message in order of time; of equal times the writer's order counts."""
    entries: list[JournalRow] = []
    after: tuple[str, int] | None = None
    while page := await ledger.queries.journal(
        message_id=message_id, after=after, limit=JOURNAL_PAGE
    ):
        entries += page
        after = (page[-1].chain, page[-1].seq)
    return sorted(entries, key=lambda entry: entry.at)


def show_deliveries(deliveries: list[DeliveryRow]) -> None:
    columns = headings(
        "id|Trạng thái|Điểm kết nối|Nhận|Lần|Lần tới|Lý do",
        "id|State|Endpoint|Receivers|Attempts|Next attempt|Reason",
    )
    cells = [
        (
            d.id,
            d.state,
            d.endpoint,
            d.receivers,
            d.attempts,
            when(d.next_attempt_at) if d.state == "waiting" else "",
            ": ".join(part for part in (d.code, d.detail) if part),
        )
        for d in deliveries
    ]
    show_table(columns, cells, empty=say("Không có chuyển phát nào.", "No deliveries."))


def details(data: dict[str, Any]) -> str:
    """The members of a journal entry in one line."""
    return " ".join(f"{name}={value}" for name, value in data.items() if value not in ("", None))


def _facts(m: MessageRow) -> list[tuple[str, object]]:
    return [
        ("id", m.id),
        (say("Gửi", "Sender"), m.sender),
        (say("Mã bên gửi", "Sender's id"), m.sender_ref),
        (say("Hệ thống", "Client"), m.client),
        (say("Nhận", "Receivers"), m.receivers),
        (say("Loại", "Kind"), m.kind),
        (say("Văn bản", "Document"), f"{m.document_code} ({m.document_id})"),
        (say("Luồng", "Lane"), m.lane),
        (say("Thứ tự theo", "Order key"), m.order_key),
        (say("Tiếp nhận", "Accepted"), when(m.accepted_at)),
        (say("Hết hạn", "Expires"), when(m.expires_at)),
        (say("Nội dung", "Content"), f"{m.size} byte, {m.media_type}"),
        ("SHA-256", m.sha256),
        (say("Mã theo dõi", "Trace"), m.trace),
    ]


def _decision_json(decision: Any) -> Any:
    document = to_json(decision)
    for receiver in document["receivers"]:
        receiver["steps"] = [{"vi": vi, "en": en} for vi, en in receiver["steps"]]
    return document


def add_to(app: typer.Typer) -> None:
    panel = say("Xem dòng chảy", "See the flow")
    app.add_typer(message_app, name="message", rich_help_panel=panel)
    app.command(
        rich_help_panel=panel,
        help=say("Vì sao thông điệp đi tới đó.", "Why a message went where it went.")
        + examples("lgsp explain 01a0c450-6c00-7000-8000-000000000001"),
    )(explain)
