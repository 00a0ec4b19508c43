"""`lgsp service check`, and the group of all commands about services."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from bus.cli import service_call, service_declare, service_job
from bus.cli.failure import PROBLEM
from bus.cli.lang import say
from bus.cli.options import Json, examples
from bus.cli.output import headings, say_line, show_json, show_table, to_json

service_app = typer.Typer(
    no_args_is_help=True, help=say("Dịch vụ: khai báo, gọi, ai đã gọi.", "Services: declare, call.")
)


@service_app.command(
    "check",
    help=say(
        "Trục dịch được gì của một WSDL (thành JSON) hay một tài liệu OpenAPI (thành SOAP), và bản "
        "dịch sẽ mất gì (lẽ ra không gì cả). Không nhập, không gọi mạng; các tệp .wsdl, .xsd cùng "
        "thư mục được đọc theo. Mã thoát 1 nếu có vấn đề.",
        "What of a WSDL (as JSON) or of an OpenAPI document (as SOAP) can be translated, and what "
        "would be lost (nothing, it should be). Imports nothing and calls nobody; .wsdl and .xsd "
        "files beside a WSDL are read, too. Exit status 1 if there is a problem.",
    )
    + examples("lgsp service check dan-cu/TraCuu.wsdl", "lgsp service check dkkd/openapi.yaml"),
)
def check(
    file: Annotated[
        Path,
        typer.Argument(
            exists=True,
            dir_okay=False,
            help=say("tệp WSDL hoặc OpenAPI", "the file: WSDL or OpenAPI"),
        ),
    ],
    *,
    json: Json = False,
) -> None:
    found = _report(file)
    if json:
        show_json(to_json(found))
    else:
        _show(found)
    if not found["ok"]:
        raise typer.Exit(PROBLEM)


def _report(file: Path) -> dict[str, Any]:
    # late: lxml is needed here only
    from bus.gateway.national import SUFFIX, compile_contract  # noqa: PLC0415
    from bus.gateway.rest_service import is_openapi  # noqa: PLC0415
    from bus.gateway.translate.rest import compile_openapi  # noqa: PLC0415
    from bus.ops.province_contracts import read_documents  # noqa: PLC0415

    if is_openapi(file.name) and not file.name.endswith(SUFFIX):
        return compile_openapi(file.read_bytes()).report()
    return compile_contract(read_documents(file), file.name).report()


def _show(found: dict[str, Any]) -> None:
    columns = headings(
        "Dịch vụ|Cổng|Thao tác|SOAP|Kiểu|Dịch được|Vấn đề|Mất",
        "Service|Port|Operation|SOAP|Style|Supported|Problems|Lost",
    )
    names = ("service", "port", "operation", "soap", "style", "supported", "problems", "lost")
    rows = [tuple(row[name] for name in names) for row in found["operations"]]
    show_table(columns, rows, empty=say("Không có thao tác SOAP nào.", "No SOAP operations."))
    for location, named_by in found["missing"].items():
        say_line(
            say(
                f"✗ thiếu {location} ({named_by} nêu tên): đặt tệp cạnh WSDL, hoặc lgsp schema add",
                f"✗ {location} is missing (named by {named_by}): put it beside the WSDL, or "
                "`lgsp schema add`",
            )
        )
    for rule in found.get("notes", ()):
        say_line(
            say(
                f"· {rule}: WSDL không nêu được, dịch vụ vẫn tự kiểm tra",
                f"· {rule}: the WSDL cannot state this rule; the service itself still holds to it",
            )
        )
    for name in found["defined_twice"]:
        say_line(say(f"✗ {name} được định nghĩa hai lần", f"✗ {name} is defined twice"))
    if found["ok"]:
        say_line(
            say("✓ Dịch được hết, không mất gì.", "✓ All of it is translated, nothing is lost.")
        )


service_declare.add_to(service_app)
service_call.add_to(service_app)
service_job.add_to(service_app)


def add_to(app: typer.Typer) -> None:
    panel = say("Khai báo", "Declare")
    app.add_typer(service_app, name="service", rich_help_panel=panel)
