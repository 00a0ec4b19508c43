"""`lgsp refused list|save`: packets fetched from a partner that can never be accepted."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bus.cli.lang import say
from bus.cli.options import EndpointFilter, Json, Limit, examples
from bus.cli.output import headings, say_line, show_json, show_table, to_json, when
from bus.cli.session import Session
from schemas.errors import NotFound

if TYPE_CHECKING:
    from bus.ledger.ledger import Ledger

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
    "save",
    help=say("Ghi nguyên gói tin ra tệp để xem.", "Write the packet as it came to a file.")
    + examples("lgsp refused save truc-quoc-gia 65f0c1 goi-tin.xml"),
)
def save(
    context: typer.Context,
    endpoint: Annotated[str, typer.Argument(help=say("điểm kết nối", "endpoint"))],
    ref: Annotated[str, typer.Argument(help=say("mã của đối tác", "the partner's id"))],
    file: Annotated[Path, typer.Argument(help=say("tệp mới", "a new file"))],
) -> None:
    """Raises NotFound; a file that exists is never written over."""
    if file.exists():
        raise typer.BadParameter(say("tệp đã có", "the file exists"), param_hint="FILE")
    size, original = Session.of(context).run(lambda ledger: _find(ledger, endpoint, ref))
    file.touch(mode=0o600)  # personal data
    shutil.copyfile(original, file)
    say_line(f"✓ {file}: {size} byte")


async def _find(ledger: Ledger, endpoint: str, ref: str) -> tuple[int, Path]:
    row = await ledger.queries.refused_packet(endpoint, ref)
    if row is None:
        raise NotFound(
            "no such packet; see: lgsp refused list",
            vi="Không có gói tin này; xem: lgsp refused list",
        )
    return row.size, ledger.blobs.path(row.sha256)


def add_to(app: typer.Typer) -> None:
    app.add_typer(refused_app, name="refused", rich_help_panel=say("Thông điệp", "Messages"))
