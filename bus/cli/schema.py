"""`lgsp schema add|list`: the operator's copies of schemas that contracts name by URL."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bus.cli.lang import say
from bus.cli.options import Json, examples
from bus.cli.output import headings, say_line, show_json, show_table
from bus.cli.session import Session

schema_app = typer.Typer(
    no_args_is_help=True,
    help=say("Bản sao XSD mà WSDL chỉ nêu địa chỉ.", "Copies of schemas known by URL."),
)


@schema_app.command(
    help=say(
        "Giữ bản sao của một XSD mà WSDL chỉ nêu địa chỉ; trục không bao giờ tải từ mạng.",
        "Keep a copy of a schema that WSDLs name by URL; the bus never fetches one.",
    )
    + examples("lgsp schema add https://dich-vu.example/chung.xsd chung.xsd")
)
def add(
    context: typer.Context,
    location: Annotated[
        str, typer.Argument(help=say("địa chỉ như WSDL nêu", "URL as the WSDL has it"))
    ],
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help=say("tệp", "file"))],
) -> None:
    from bus.gateway.translate.sources import Sources  # noqa: PLC0415 - late: lxml

    content = file.read_bytes()
    Sources({location: content}).tree(location)  # XML, or InvalidContract
    Session.of(context).run(lambda ledger: ledger.contracts.keep_schema(location, content))
    say_line(
        say(
            f"✓ Đã giữ {location}: dùng khi lgsp service add, check.",
            f"✓ {location} is kept: `lgsp service add` will find it.",
        )
    )


@schema_app.command("list", help=say("Các bản sao đang giữ.", "Copies that are kept."))
def list_(context: typer.Context, *, json: Json = False) -> None:
    kept = Session.of(context).run(lambda ledger: ledger.contracts.schemas())
    rows = [(location, len(content)) for location, content in sorted(kept.items())]
    if json:
        show_json({"items": [{"location": each, "bytes": size} for each, size in rows]})
        return
    show_table(headings("Địa chỉ|Byte", "URL|Bytes"), rows, empty=say("Chưa có.", "None."))


def add_to(app: typer.Typer) -> None:
    app.add_typer(schema_app, name="schema", rich_help_panel=say("Khai báo", "Declare"))
