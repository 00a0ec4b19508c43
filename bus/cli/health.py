"""`lgsp health`: does everything run, and does anything wait for a person."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import typer

from bus.cli.endpoint import View, views
from bus.cli.failure import PROBLEM
from bus.cli.lang import say, spoken
from bus.cli.options import Json
from bus.cli.output import say_line, show_json, when
from bus.cli.session import Session
from schemas.delivery import DeliveryState
from schemas.errors import LgspError, Text

if TYPE_CHECKING:
    from bus.ledger.ledger import Ledger
    from bus.ledger.queries import ProcessRow
    from bus.settings import Settings
    from schemas.instant import Instant

Level = Literal["ok", "notice", "problem"]
MARKS: dict[Level, tuple[str, str]] = {
    "ok": ("✓", "green"),
    "notice": ("!", "yellow"),
    "problem": ("✗", "bold red"),
}
ROLES = ("gateway", "dispatcher", "worker")
BEAT_SECONDS = 2.5  # a living process raises its beat at least once in this time
BROKER_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `problem`: a person is needed."""

    subject: str  # ledger, broker, process, endpoint
    level: Level
    text: Text


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
    settings = session.settings
    try:
        return session.run(lambda ledger: _examine(ledger, settings))
    except LgspError as error:
        text = Text(f"Sổ cái: {error.detail.vi}", f"Ledger: {error.detail.en}")
        return [Finding("ledger", "problem", text), asyncio.run(_broker(settings))]


async def _examine(ledger: Ledger, settings: Settings) -> list[Finding]:
    before, broker = await asyncio.gather(_beats(ledger), _broker(settings))
    processes = await ledger.queries.processes()
    found = await views(ledger)
    alive = [p for p in processes if before.get(p.id) != p.beat]
    return [
        Finding("ledger", "ok", Text("Sổ cái: phản hồi", "Ledger: answers")),
        broker,
        *_processes(alive, lost=len(processes) - len(alive)),
        *(finding for view in found for finding in _endpoint(view)),
        *_silent(found, ledger.clock()),
    ]


async def _beats(ledger: Ledger) -> dict[str, int]:
    """Each process' beat, long enough ago that the living have risen since."""
    beats = {process.id: process.beat for process in await ledger.queries.processes()}
    if beats:
        await asyncio.sleep(BEAT_SECONDS)
    return beats


async def _broker(settings: Settings) -> Finding:
    url = settings.broker_url
    if url is None or url.get_secret_value() == "embedded:":
        return Finding("broker", "ok", Text("Broker: trong tiến trình", "Broker: in the process"))
    # late: the AMQP library is behind it
    from bus.broker import create  # noqa: PLC0415

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


def _processes(alive: Sequence[ProcessRow], *, lost: int) -> Iterator[Finding]:
    for role in ROLES:
        count = sum(role in process.roles for process in alive)
        level: Level = "ok" if count else "problem"
        vi = f"Tiến trình {role}: {count}" + ("" if count else "; khởi động lại: lgsp " + role)
        en = f"Processes with role {role}: {count}" + ("" if count else f"; start one: lgsp {role}")
        yield Finding("process", level, Text(vi, en))
    if lost:
        vi = f"{lost} tiến trình ngừng báo; việc của nó tự được nhận lại"
        en = f"{lost} processes stopped reporting; their work is taken back by itself"
        yield Finding("process", "notice", Text(vi, en))


def _endpoint(view: View) -> Iterator[Finding]:
    """Silence means that all is well."""
    name, counts, state = view.name, view.counts, view.state
    if dead := counts.get(DeliveryState.DEAD, 0):
        look = f"lgsp delivery list --state dead --endpoint {name}"
        vi = f"{name}: {dead} chuyển phát hỏng; xem: {look}"
        en = f"{name}: {dead} dead; see: {look}"
        yield Finding("endpoint", "problem", Text(vi, en))
    if held := counts.get(DeliveryState.HELD, 0):
        look = f"lgsp delivery list --state held --endpoint {name}"
        vi = f"{name}: {held} chuyển phát bị giữ; xem: {look}"
        en = f"{name}: {held} held; see: {look}"
        yield Finding("endpoint", "problem", Text(vi, en))
    if view.declared is None and counts:
        vi = f"{name}: còn chuyển phát nhưng chưa khai báo; khai báo rồi lgsp apply"
        en = f"{name}: has deliveries but is not declared; declare it, then lgsp apply"
        yield Finding("endpoint", "problem", Text(vi, en))
    if state is not None and state.breaker == "open":
        vi = f"{name}: ngắt mạch, tự thử lại; lỗi gần nhất: {state.last_error or '—'}"
        en = f"{name}: breaker open, probes by itself; last error: {state.last_error or '—'}"
        yield Finding("endpoint", "notice", Text(vi, en))
    if state is not None and state.paused:
        vi = (
            f"{name}: tạm dừng ({state.pause_reason or '—'}); gửi tiếp: lgsp endpoint resume {name}"
        )
        en = f"{name}: paused ({state.pause_reason or '—'}); go on: lgsp endpoint resume {name}"
        yield Finding("endpoint", "notice", Text(vi, en))


def _silent(found: Iterable[View], now: Instant) -> Iterator[Finding]:
    """Endpoints from which nothing comes any more: nobody else would notice."""
    for view in found:
        poll = view.poll
        paused = view.state is not None and view.state.paused
        if poll is None or poll.due_at > now or paused or not _is_polled(view):
            continue
        error = poll.error or "—"
        since = when(poll.good_at)
        vi = f"không lấy được gì từ {since}" if since else "chưa lần nào lấy được"
        en = f"silent since {since}" if since else "nothing was ever fetched"
        text = Text(
            f"{view.name}: {vi}; lỗi gần nhất: {error};"
            " đơn vị vận hành kiểm tra kết nối, địa chỉ và khóa, rồi hỏi đối tác",
            f"{view.name}: {en}; last error: {error};"
            " the operator checks connection, address and secret, then asks the partner",
        )
        yield Finding("endpoint", "problem", text)


def _is_polled(view: View) -> bool:
    """Not one that was removed, or has become an endpoint of another kind."""
    # late: the protocols' libraries are behind it
    from adapters.registry import adapters  # noqa: PLC0415

    adapter = adapters().get(view.declared.kind) if view.declared is not None else None
    return adapter is not None and hasattr(adapter, "poll")


def add_to(app: typer.Typer) -> None:
    app.command(
        rich_help_panel=say("Sức khỏe", "Health"),
        help=say(
            "Mọi thứ có chạy không, có gì chờ người xử lý không. Mã thoát 1 nếu có.",
            "Does everything run, does anything wait for a person. Exit status 1 if so.",
        ),
    )(health)
