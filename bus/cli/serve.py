"""`lgsp serve` and the same roles apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bus.cli.lang import say
from bus.cli.options import examples
from bus.cli.session import Session

if TYPE_CHECKING:
    from bus.settings import Settings

GATEWAY, DISPATCHER, WORKER, CONSOLE = "gateway", "dispatcher", "worker", "console"

Host = Annotated[str | None, typer.Option(help=say("địa chỉ lắng nghe", "address to listen on"))]
Port = Annotated[
    int | None,
    typer.Option(
        min=0, max=65_535, help=say("cổng; 0: cổng trống bất kỳ", "port; 0: any free one")
    ),
]


def serve(context: typer.Context, host: Host = None, port: Port = None) -> None:
    roles = {GATEWAY, DISPATCHER, WORKER}
    settings = Session.of(context).load(http_host=host, http_port=port)
    if settings.console_port is not None:
        roles.add(CONSOLE)
    _run(settings, frozenset(roles))


def gateway(context: typer.Context, host: Host = None, port: Port = None) -> None:
    settings = Session.of(context).load(http_host=host, http_port=port)
    _run(settings, frozenset({GATEWAY}))


def dispatcher(context: typer.Context) -> None:
    _run(Session.of(context).load(), frozenset({DISPATCHER}))


def worker(context: typer.Context) -> None:
    _run(Session.of(context).load(), frozenset({WORKER}))


def console(context: typer.Context, host: Host = None, port: Port = None) -> None:
    settings = Session.of(context).load(console_host=host, console_port=port)
    _run(settings, frozenset({CONSOLE}))


def _run(settings: Settings, roles: frozenset[str]) -> None:
    # late: the whole bus is behind it
    from bus.app import run  # noqa: PLC0415

    run(settings, roles)


def add_to(app: typer.Typer) -> None:
    panel = say("Chạy trục", "Run the bus")
    app.command(
        rich_help_panel=panel,
        help=say("Chạy tất cả trong một tiến trình.", "Run everything in one process.")
        + examples("lgsp serve --port 8080", "LGSP_BROKER_URL=amqp://… lgsp serve"),
    )(serve)
    app.command(
        rich_help_panel=panel,
        help=say(
            "Chỉ cửa tiếp nhận (HTTP); bao nhiêu cũng được.", "Only the HTTP doors; any number."
        ),
    )(gateway)
    app.command(
        rich_help_panel=panel,
        help=say(
            "Chỉ điều phối: phát những gì đến lượt.", "Only the dispatcher: publishes what is due."
        ),
    )(dispatcher)
    app.command(
        rich_help_panel=panel,
        help=say("Chỉ chuyển phát tới đối tác.", "Only deliveries to partners; any number."),
    )(worker)
    app.command(
        rich_help_panel=panel,
        help=say(
            "Chỉ giao diện vận hành trên trình duyệt; tài khoản: lgsp account add.",
            "Only the web console; accounts: lgsp account add.",
        ),
    )(console)
