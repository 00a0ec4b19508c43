"""`lgsp migrate`, `lgsp settings show`."""

from __future__ import annotations

import asyncio

import typer

from bus.cli.lang import say
from bus.cli.options import Json
from bus.cli.output import camel, say_line, show_json, show_table
from bus.cli.session import Session

settings_app = typer.Typer(
    no_args_is_help=True, help=say("Thiết lập của tiến trình.", "Settings of the process.")
)


def migrate(context: typer.Context) -> None:
    settings = Session.of(context).settings
    # late: Alembic is needed here only
    from bus.ledger.migrate import migrate as upgrade  # noqa: PLC0415

    if settings.database_url.startswith("sqlite"):
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    asyncio.run(upgrade(settings.database_url))
    say_line(say("✓ Sổ cái đã ở phiên bản mới nhất.", "✓ The ledger is at the newest version."))


@settings_app.command(
    "show", help=say("Giá trị đang dùng; mật khẩu được che.", "Values in use; passwords masked.")
)
def show(context: typer.Context, *, json: Json = False) -> None:
    settings = Session.of(context).settings
    values = settings.shown()
    if json:
        show_json({camel(name): value for name, value in values.items()})
        return
    rows = [
        (name, "" if value is None else str(value), type(settings).model_fields[name].description)
        for name, value in values.items()
    ]
    columns = (say("Thiết lập", "Setting"), say("Giá trị", "Value"), say("Ý nghĩa", "Meaning"))
    show_table(columns, rows, empty="")


def add_to(app: typer.Typer) -> None:
    panel = say("Chạy trục", "Run the bus")
    app.command(
        rich_help_panel=panel,
        help=say("Tạo hoặc nâng cấp sổ cái; chạy lại vô hại.", "Create or upgrade the ledger."),
    )(migrate)
    app.add_typer(settings_app, name="settings", rich_help_panel=panel)
