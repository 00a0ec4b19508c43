"""The command's groups and what all of them share."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from bus.cli import (
    account,
    agency,
    alert,
    axis,
    backup,
    client,
    delivery,
    document,
    dossier,
    endpoint,
    failure,
    feed,
    health,
    journal,
    ledger,
    mapping,
    message,
    province,
    reconcile,
    refused,
    report,
    schema,
    serve,
    service,
    setup,
)
from bus.cli.lang import say
from bus.cli.options import examples
from bus.cli.session import Session
from schemas.errors import LgspError

app = typer.Typer(
    name="lgsp",
    help=say("Trục tích hợp liên thông (LGSP).", "Interoperability bus of a province (LGSP).")
    + "\n\n"
    + say(
        "Mã thoát: 0 xong · 1 có vấn đề hoặc bị từ chối · 2 sai cách dùng hoặc thiết lập · "
        "3 sổ cái hoặc RabbitMQ không phản hồi · 4 không tìm thấy.",
        "Exit status: 0 done · 1 a problem found, or refused · 2 wrong usage or settings · "
        "3 ledger or RabbitMQ unavailable · 4 not found.",
    )
    + examples("lgsp migrate", "lgsp apply -f province/ --reason khai-trương", "lgsp serve"),
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # its boxes would show local variables
)
GROUPS = (
    serve,
    setup,
    message,
    document,
    dossier,
    report,
    reconcile,
    mapping,
    delivery,
    refused,
    endpoint,
    agency,
    axis,
    client,
    account,
    province,
    service,
    feed,
    schema,
    health,
    journal,
    ledger,
    backup,
    alert,
)
for group in GROUPS:
    group.add_to(app)


def _version(asked: bool) -> None:
    if asked:
        # late: reading the metadata takes longer than all the rest of --help
        from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415

        try:
            typer.echo(f"lgsp {version('lgsp-bus')}")
        except PackageNotFoundError:
            typer.echo("lgsp")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(
            help=say(
                "tệp thiết lập TOML; nếu không: LGSP_CONFIG, ./lgsp.toml", "TOML settings file"
            )
        ),
    ] = None,
    lang: Annotated[  # noqa: ARG001 - bus.cli.lang has read it before any help text was made
        Literal["vi", "en"] | None,
        typer.Option(help=say("ngôn ngữ; nếu không: LGSP_LANG, LANG", "language; else LANG")),
    ] = None,
    version: Annotated[  # noqa: ARG001 - its callback has answered
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help=say("phiên bản", "version")
        ),
    ] = False,
) -> None:
    context.obj = Session(config)


def main() -> None:
    """Runs the command; ends the process with its exit status."""
    try:
        app(prog_name="lgsp")
    except LgspError as error:
        failure.report(error, as_json="--json" in sys.argv)
        sys.exit(failure.exit_code(error))
