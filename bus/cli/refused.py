"""`lgsp refused list|show|save`: packets fetched from a partner that can never be accepted."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bus.cli.failure import WHO
from bus.cli.lang import say, spoken
from bus.cli.options import EndpointFilter, Json, Limit, examples
from bus.cli.output import (
    headings,
    say_line,
    show_facts,
    show_json,
    show_table,
    to_json,
    when,
)
from bus.cli.session import Session
from schemas.errors import NotFound, by_code

if TYPE_CHECKING:
    from bus.ledger.ledger import Ledger
    from bus.ledger.queries import RefusedPacket

Of = Annotated[str, typer.Argument(metavar="ENDPOINT", help=say("điểm kết nối", "endpoint"))]
Ref = Annotated[str, typer.Argument(help=say("mã của đối tác", "the partner's id"))]

refused_app = typer.Typer(
    no_args_is_help=True,
    help=say("Gói tin lấy về bị từ chối.", "Packets that were fetched and refused."),
)


@refused_app.command(
    "list",
    help=say("Mới nhất trước, kèm lý do.", "Newest first, with the reason.")
    + examples("lgsp refused list --endpoint truc-quoc-gia"),
)
def list_refused(
    context: typer.Context,
    *,
    endpoint: EndpointFilter = None,
    limit: Limit = 50,
    json: Json = False,
) -> None:
    rows = Session.of(context).run(
        lambda ledger: ledger.queries.refused_packets(endpoint=endpoint, limit=limit)
    )
    if json:
        show_json({"items": [to_json(row) for row in rows]})
        return
    show_table(
        headings(
            "Lúc|Điểm kết nối|Mã của đối tác|Byte|Lý do", "At|Endpoint|Partner's id|Bytes|Why"
        ),
        [(when(r.at), r.endpoint, r.ref, r.size, f"{r.code}: {r.reason}") for r in rows],
        empty=say("không có gói tin nào bị từ chối", "no packet was refused"),
    )


@refused_app.command(
    "show",
    help=say(
        "Một gói tin: lý do, ai phải làm gì. Nội dung: lgsp refused save.",
        "One packet: why, who must act, what to do. Its content: lgsp refused save.",
    )
    + examples("lgsp refused show truc-quoc-gia 65f0c1"),
)
def show(context: typer.Context, endpoint: Of, ref: Ref, *, json: Json = False) -> None:
    """Nothing of the packet itself: it may hold personal data. Raises NotFound."""
    row = Session.of(context).run(lambda ledger: _find(ledger, endpoint, ref))
    cause = by_code(row.code)
    if json:
        said = {"title": cause.title._asdict(), "advice": cause.advice._asdict()} if cause else {}
        actor = {"whoMustAct": cause.actor} if cause else {}
        show_json(to_json(row) | actor | said)
        return
    facts: list[tuple[str, object]] = [
        (say("Lúc", "At"), when(row.at)),
        (say("Điểm kết nối", "Endpoint"), row.endpoint),
        (say("Mã của đối tác", "Partner's id"), row.ref),
        (say("Kích thước", "Size"), f"{row.size:,} byte"),
        ("SHA-256", row.sha256),
        (say("Lý do", "Why"), f"{row.code}: {row.reason}"),
    ]
    if cause is not None:
        facts.append((say("Ai xử lý", "Who must act"), spoken(WHO[cause.actor])))
        facts.append((say("Bước tiếp theo", "Next step"), spoken(cause.advice)))
    facts.append((say("Xem nội dung", "Look inside"), f"lgsp refused save {endpoint} {ref} FILE"))
    show_facts(facts)


@refused_app.command(
    "save",
    help=say("Ghi nguyên gói tin ra tệp để xem.", "Write the packet as it came to a file.")
    + examples("lgsp refused save truc-quoc-gia 65f0c1 goi-tin.xml"),
)
def save(
    context: typer.Context,
    endpoint: Of,
    ref: Ref,
    file: Annotated[Path, typer.Argument(help=say("tệp mới", "a new file"))],
) -> None:
    """Raises NotFound; a file that exists is never written over."""
    if file.exists():
        raise typer.BadParameter(say("tệp đã có", "the file exists"), param_hint="FILE")

    async def find(ledger: Ledger) -> tuple[int, Path]:
        row = await _find(ledger, endpoint, ref)
        return row.size, ledger.blobs.path(row.sha256)

    size, original = Session.of(context).run(find)
    file.touch(mode=0o600)  # personal data
    shutil.copyfile(original, file)
    say_line(f"✓ {file}: {size} byte")


async def _find(ledger: Ledger, endpoint: str, ref: str) -> RefusedPacket:
    row = await ledger.queries.refused_packet(endpoint, ref)
    if row is None:
        raise NotFound(
            "no such packet; see: lgsp refused list",
            vi="Không có gói tin này; xem: lgsp refused list",
        )
    return row


def add_to(app: typer.Typer) -> None:
    app.add_typer(refused_app, name="refused", rich_help_panel=say("Thông điệp", "Messages"))
