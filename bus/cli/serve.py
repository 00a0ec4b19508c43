"""`lgsp serve` and the same roles apart."""

from __future__ import annotations

from typing import Annotated

import typer

from bus.cli.lang import say
from bus.cli.options import examples
from bus.cli.session import Session

GATEWAY, DISPATCHER, WORKER = "gateway", "dispatcher", "worker"

Host = Annotated[str | None, typer.Option(help=say("địa chỉ lắng nghe", "address to listen on"))]
Port = Annotated[
    int | None,
    typer.Option(
        min=0, max=65_535, help=say("cổng; 0: cổng trống bất kỳ", "port; 0: any free one")
    ),
]


def serve(context: typer.Context, host: Host = None, port: Port = None) -> None:
    roles = frozenset({GATEWAY, DISPATCHER, WORKER})
    _run(context, roles, http_host=host, http_port=port)


def gateway(context: typer.Context, host: Host = None, port: Port = None) -> None:
    _run(context, frozenset({GATEWAY}), http_host=host, http_port=port)


def dispatcher(context: typer.Context) -> None:
    _run(context, frozenset({DISPATCHER}))


def worker(context: typer.Context) -> None:
    _run(context, frozenset({WORKER}))


def _run(context: typer.Context, roles: frozenset[str], **given: object) -> None:
    settings = Session.of(context).load(**given)
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
