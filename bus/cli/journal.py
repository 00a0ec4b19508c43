"""`lgsp journal verify`."""

from __future__ import annotations

import typer

from bus.cli.failure import PROBLEM
from bus.cli.lang import say
from bus.cli.options import Json
from bus.cli.output import say_line, show_json
from bus.cli.session import Session

journal_app = typer.Typer(no_args_is_help=True, help=say("Nhật ký.", "The journal."))


@journal_app.command(
    "verify",
    help=say(
        "Kiểm tra chuỗi băm: nhật ký có bị sửa, cắt, chèn không. Mã thoát 1 nếu có.",
        "Check the hash chains: was anything altered, cut, inserted. Exit status 1 if so.",
    ),
)
def verify(context: typer.Context, *, json: Json = False) -> None:
    report = Session.of(context).run(lambda ledger: ledger.verify_journal())
    if json:
        show_json(
            {
                "chains": report.chains,
                "entries": report.entries,
                "problems": list(report.problems),
                "intact": not report.problems,
            }
        )
    else:
        for problem in report.problems:
            say_line(f"✗ {problem}", style="red")
        counted = say(
            f"{report.entries} mục trong {report.chains} chuỗi",
            f"{report.entries} entries in {report.chains} chains",
        )
        if report.problems:
            bad = say(
                "nhật ký đã bị thay đổi; giữ nguyên máy, báo an toàn thông tin",
                "the journal was changed; keep the machine as it is, tell security",
            )
            say_line(f"✗ {counted}: {bad}")
        else:
            say_line(f"✓ {counted}: {say('nguyên vẹn', 'intact')}")
    if report.problems:
        raise typer.Exit(PROBLEM)


def add_to(app: typer.Typer) -> None:
    panel = say("Sức khỏe", "Health")
    app.add_typer(journal_app, name="journal", rich_help_panel=panel)
