"""`lgsp ledger check`."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import typer

from bus.cli.failure import PROBLEM
from bus.cli.lang import say
from bus.cli.options import Json
from bus.cli.output import progress, say_line, show_json
from bus.cli.session import Session

if TYPE_CHECKING:
    from bus.ledger.audit import Audit
    from bus.ledger.journal import JournalReport
    from bus.ledger.ledger import Ledger

ledger_app = typer.Typer(no_args_is_help=True, help=say("Sổ cái.", "The ledger."))

WATCH_SECONDS = 6.0
"""A living process raises its beat once a second; one that was killed is known as lost after 5."""

KINDS = {
    "receipt": ("biên nhận không khớp", "receipts that do not agree"),
    "content": ("nội dung mất hoặc bị đổi", "contents gone or changed"),
    "missing": ("chuyển phát đã quyết định nhưng không có", "deliveries decided and not there"),
    "unjournalled": ("kết thúc không có trong nhật ký", "ends of which the journal does not know"),
    "unexplained": ("dừng mà không có lý do", "stops without a reason"),
    "order": ("sai thứ tự", "out of order"),
    "stuck": ("kẹt: không ai đến lượt", "stuck: it is nobody's turn"),
    "abandoned": ("đang gửi bởi tiến trình đã mất", "in the hands of a process that is gone"),
    "journal": ("nhật ký bị thay đổi", "changes of the journal"),
}


@ledger_app.command(
    "check",
    help=say(
        "Kiểm chứng trục giữ lời hứa: mọi thông điệp đã nhận được chuyển, đang chờ hoặc có lý do; "
        "biên nhận, nội dung, nhật ký khớp; đúng thứ tự. Không thay đổi gì. Mã thoát 1 nếu có lỗi.",
        "Verify that the bus keeps its promises: each accepted message delivered, waiting or "
        "explained; receipts, contents and journal agree; in order. Changes nothing. Exit status 1 "
        "if something is wrong.",
    ),
)
def check(context: typer.Context, *, json: Json = False) -> None:
    began = time.monotonic()
    found, report = Session.of(context).run(look)
    for problem in report.problems:
        found.found("journal", problem)
    clean = not found.problems
    if json:
        show_json(
            {
                "clean": clean,
                "messages": found.messages,
                "deliveries": dict(sorted(found.deliveries.items())),
                "journalChains": report.chains,
                "journalEntries": report.entries,
                "problems": {kind: found.problems[kind] for kind in KINDS},
                "examples": dict(found.examples),
                "seconds": round(time.monotonic() - began, 1),
            }
        )
    else:
        _tell(found, report)
    if not clean:
        raise typer.Exit(PROBLEM)


async def look(ledger: Ledger) -> tuple[Audit, JournalReport]:
    """All that is wrong but the journal's chains, and what they say."""
    # late: SQLAlchemy is behind it
    from bus.ledger.audit import audit, beats, count_messages, held_by  # noqa: PLC0415

    began, at_first, held = time.monotonic(), await beats(ledger.db), await held_by(ledger.db)
    total = await count_messages(ledger.db)
    words = say("Đối chiếu thông điệp", "Comparing messages")
    with progress(words, total) as seen:
        found = await audit(ledger.db, ledger.blobs, seen)
    report = await ledger.verify_journal()
    if held:
        await asyncio.sleep(max(0.0, began + WATCH_SECONDS - time.monotonic()))
        now, still = await beats(ledger.db), await held_by(ledger.db)
        for number, worker in held.items():
            if still.get(number) == worker and now.get(worker) in {None, at_first.get(worker)}:
                found.found("abandoned", f"delivery {number}: {worker}")
    return found, report


def _tell(found: Audit, report: JournalReport) -> None:
    states = ", ".join(f"{count} {state}" for state, count in sorted(found.deliveries.items()))
    for kind, (vi, en) in KINDS.items():
        if count := found.problems[kind]:
            say_line(f"✗ {count} {say(vi, en)}", style="red")
            for example in found.examples[kind]:
                say_line(f"    {example}")
    counted = say(
        f"{found.messages} thông điệp; chuyển phát: {states or '0'}; "
        f"nhật ký: {report.entries} mục trong {report.chains} chuỗi",
        f"{found.messages} messages; deliveries: {states or '0'}; "
        f"journal: {report.entries} entries in {report.chains} chains",
    )
    if found.problems:
        act = say(
            "giữ nguyên máy, báo nhà phát triển trục; nhật ký bị thay đổi: báo an toàn thông tin",
            "keep the machine as it is and tell the makers of the bus; a changed journal: security",
        )
        say_line(f"✗ {counted}. {act}")
    else:
        say_line(f"✓ {counted}. {say('Trục giữ đúng lời hứa.', 'The bus keeps its promises.')}")


def add_to(app: typer.Typer) -> None:
    panel = say("Sức khỏe", "Health")
    app.add_typer(ledger_app, name="ledger", rich_help_panel=panel)
