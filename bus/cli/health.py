"""`lgsp health`: does everything run, and does anything wait for a person."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import typer

from bus.cli.failure import PROBLEM
from bus.cli.lang import say, spoken
from bus.cli.options import Json
from bus.cli.output import say_line, show_json
from bus.cli.session import Session
from schemas.errors import LgspError, Text

if TYPE_CHECKING:
    from bus.ledger.ledger import Ledger
    from bus.ops.attention import Finding
    from bus.settings import Settings

MARKS = {
    "ok": ("✓", "green"),
    "notice": ("!", "yellow"),
    "problem": ("✗", "bold red"),
}
BEAT_SECONDS = 2.5  # a living process raises its beat at least once in this time
BROKER_SECONDS = 5.0


def health(context: typer.Context, *, json: Json = False) -> None:
    session = Session.of(context)
    findings = _findings(session)
    needs_a_person = any(finding.level == "problem" for finding in findings)
    if json:
        items = [
            {"subject": f.subject, "level": f.level, "text": f.text._asdict()} for f in findings
        ]
        show_json({"ok": not needs_a_person, "findings": items})
    else:
        for finding in findings:
            mark, style = MARKS[finding.level]
            say_line(f"{mark} {spoken(finding.text)}", style=style)
    if needs_a_person:
        raise typer.Exit(PROBLEM)


def _findings(session: Session) -> list[Finding]:
    # late: the ledger is not needed for --help
    from bus.ops.attention import Finding  # noqa: PLC0415

    settings = session.settings
    try:
        return session.run(lambda ledger: _examine(ledger, settings))
    except LgspError as error:
        text = Text(f"Sổ cái: {error.detail.vi}", f"Ledger: {error.detail.en}")
        return [Finding("ledger", "problem", text), asyncio.run(_broker(settings))]


async def _examine(ledger: Ledger, settings: Settings) -> list[Finding]:
    # late: as above
    from bus.ops.attention import Finding, of_endpoints, of_processes  # noqa: PLC0415
    from bus.ops.endpoints import views  # noqa: PLC0415

    before, broker = await asyncio.gather(_beats(ledger), _broker(settings))
    processes = await ledger.queries.processes()
    found = await views(ledger)
    alive = [p for p in processes if before.get(p.id) != p.beat]
    roles = Counter(role for process in alive for role in process.roles)
    return [
        Finding("ledger", "ok", Text("Sổ cái: phản hồi", "Ledger: answers")),
        broker,
        *of_processes(roles, lost=len(processes) - len(alive)),
        *of_endpoints(found, ledger.clock(), _polled()),
    ]


async def _beats(ledger: Ledger) -> dict[str, int]:
    """Each process' beat, long enough ago that the living have risen since."""
    beats = {process.id: process.beat for process in await ledger.queries.processes()}
    if beats:
        await asyncio.sleep(BEAT_SECONDS)
    return beats


async def _broker(settings: Settings) -> Finding:
    # late: the AMQP library is behind it
    from bus.broker import create  # noqa: PLC0415
    from bus.ops.attention import Finding  # noqa: PLC0415

    url = settings.broker_url
    if url is None or url.get_secret_value() == "embedded:":
        return Finding("broker", "ok", Text("Broker: trong tiến trình", "Broker: in the process"))

    broker = create(url.get_secret_value(), prefix=settings.broker_prefix)
    await broker.start()
    try:
        async with asyncio.timeout(BROKER_SECONDS):
            while not broker.connected:  # noqa: ASYNC110 - the port tells, it does not call
                await asyncio.sleep(0.02)
    except TimeoutError:
        text = Text(
            "RabbitMQ: không kết nối được; tiếp nhận vẫn chạy, đơn vị vận hành kiểm tra RabbitMQ",
            "RabbitMQ: not reached; accepting goes on, the operator checks RabbitMQ",
        )
        return Finding("broker", "problem", text)
    finally:
        await broker.close(grace=0)
    return Finding("broker", "ok", Text("RabbitMQ: kết nối được", "RabbitMQ: reached"))


def _polled() -> list[str]:
    """Kinds of endpoints from which the bus fetches."""
    # late: the protocols' libraries are behind it
    from adapters.registry import adapters  # noqa: PLC0415

    return [kind for kind, adapter in adapters().items() if hasattr(adapter, "poll")]


def add_to(app: typer.Typer) -> None:
    app.command(
        rich_help_panel=say("Sức khỏe", "Health"),
        help=say(
            "Mọi thứ có chạy không, có gì chờ người xử lý không. Mã thoát 1 nếu có.",
            "Does everything run, does anything wait for a person. Exit status 1 if so.",
        ),
    )(health)
