"""`python -m deploy.demo`: the whole demo; exit status 0 only if every check holds."""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from deploy.demo import play
from deploy.demo.back import Back
from deploy.demo.centre import CLIENT, Centre
from deploy.demo.check import IN_TIME_SECONDS, Verdict, judge
from deploy.demo.database import own_database
from deploy.demo.dossiers import DEPARTMENT, PERIOD, Dossiers, Told
from deploy.demo.evening import Evening
from deploy.demo.registers import Registers
from deploy.hub import SECRET, Hub
from deploy.services import RabbitMQ, ServiceError
from deploy.stage import PROVINCE, Agency, Stage, StageError, agency_codes, free_port

PROJECT = Path(__file__).resolve().parents[2]
NEIGHBOUR = Path(__file__).parent / "neighbour"
AXIS = Path(__file__).parent / "axis"
FIGURES = {
    "received": "Tiếp nhận / received",
    "early": "Trước hạn / early",
    "onTime": "Đúng hạn / on time",
    "late": "Quá hạn / late",
    "open": "Đang xử lý / open",
    "openLate": "Đang, quá hạn / open, late",
    "synced": "Đã đồng bộ / synced",
}
console = Console(width=None if sys.stdout.isatty() else 130)


@dataclass(frozen=True)
class Around:
    """What is connected to Sơn Bình's bus beside its agencies."""

    dossiers: Dossiers
    registers: Registers
    back: Back
    evening: Evening

    def declared(self) -> tuple[Mapping[str, list[Any]], ...]:
        return self.dossiers.declared(), self.registers.declared(), self.back.declared()

    def secret_values(self) -> dict[str, str]:
        own = (self.dossiers, self.registers, self.evening)
        return {name: value for each in own for name, value in each.secret_values.items()}


def main() -> int:
    options = _options()
    folder = PROJECT / ".state" / f"demo-{os.getpid()}"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    good = False
    try:
        with ExitStack() as stack:
            dossiers = Dossiers(folder / "dossiers", max(4, options.messages // 20), options.seed)
            registers = Registers(folder / "registers")
            evening = Evening(folder / "evening")
            for process in (*dossiers.processes, registers.process, evening.process):
                process.start()
                stack.callback(process.stop)
            around = Around(dossiers, registers, Back(dossiers), evening)
            stages, broker = _stages(options, folder, stack, around)
            for stage in stages:
                stack.callback(stage.close)
                stage.open()
            key = stages[0].lgsp("client", "key", "add", CLIENT, "--json")["key"]
            centre = Centre(stages[0].url, key)
            verdict, seconds, faulty = _play(stages, options, around, centre)
            accesses = registers.written_down(stages[0], len(dossiers.pushed))
            verdict.problems += registers.problems
            total = asyncio.run(centre.totals())["total"]
            verdict.problems += around.back.judge(total)
            verdict.problems += evening.play(stages[0], _department(stages))
            verdict.problems += [problem for stage in stages for problem in _journal(stage)]
            good = verdict.good
            _summary(stages, verdict, seconds, broker, faulty)
            _deadlines(stages[0], dossiers)
            _watched(centre, total)
            _came_back(around.back, total)
            _looked_up(registers, accesses)
            _say(verdict)
            if sys.stdout.isatty() and not options.once:
                _stay(stages[0], folder)
    except (StageError, ServiceError) as error:
        console.print(f"[bold red]Không chạy được / failed:[/] {error}", soft_wrap=True)
    except KeyboardInterrupt:
        console.print("Đã dừng / stopped.")
    finally:
        if good and not options.keep:
            shutil.rmtree(folder, ignore_errors=True)
        elif folder.exists():
            console.print(f"Nhật ký, dữ liệu / logs and data: {folder}", soft_wrap=True)
    return 0 if good else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="sh deploy/demo.sh",
        description="Một ngày của tỉnh Sơn Bình (hư cấu) qua trục: các cơ quan gửi văn bản cho "
        "nhau và, qua trục quốc gia, cho tỉnh Nam Viên; trạng thái quay về, cuối cùng kiểm tra "
        "từng gói. / A day of an invented province: agencies exchange documents with each other "
        "and, over the national axis, with another province's bus; statuses come back, every "
        "packet is checked at the end.",
    )
    parser.add_argument("--messages", type=int, default=1000, metavar="N", help="documents sent")
    parser.add_argument("--once", action="store_true", help="end after the summary")
    parser.add_argument("--seed", type=int, default=1, help="another seed, another day")
    parser.add_argument("--keep", action="store_true", help="keep logs and data")
    parser.add_argument(
        "--broker",
        choices=("rabbitmq", "embedded"),
        help="else LGSP_BROKER_URL; else RabbitMQ if it is installed; else embedded",
    )
    return parser.parse_args()


def _stages(
    options: argparse.Namespace, folder: Path, stack: ExitStack, around: Around
) -> tuple[list[Stage], str]:
    """Sơn Bình as it would run; a small bus for Nam Viên; the national axis between them."""
    url, broker = _broker(options, folder, stack)
    database = os.environ.get("LGSP_DATABASE_URL")
    if database is not None:
        database = stack.enter_context(own_database(database))
    screen = {"LGSP_CONSOLE_PORT": str(free_port())}
    places = {AXIS / "province.yaml": PROVINCE, AXIS / "neighbour.yaml": NEIGHBOUR}
    hub = Hub(folder / "axis", {file: agency_codes(place) for file, place in places.items()})
    hub.process.start()
    stack.callback(hub.process.stop)
    stages = [
        Stage(
            folder / place.name,
            province=place,
            also=_merged(member.declared, *(around.declared() if place == PROVINCE else ())),
            secret_values={SECRET: member.secret, **around.secret_values()},
            database_url=database if place == PROVINCE else None,
            broker_url=url if place == PROVINCE else None,
            settings={"LGSP_LOG_LEVEL": "WARNING", **(screen if place == PROVINCE else {})},
        )
        for place, member in zip(places.values(), hub.members.values(), strict=True)
    ]
    return stages, broker


def _merged(*declared: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    keys = {key for each in declared for key in each}
    return {key: [item for each in declared for item in each.get(key, ())] for key in keys}


def _broker(options: argparse.Namespace, folder: Path, stack: ExitStack) -> tuple[str | None, str]:
    url = None if options.broker else os.environ.get("LGSP_BROKER_URL")
    broker = "LGSP_BROKER_URL"
    if url is None and options.broker != "embedded" and RabbitMQ.installed():
        with console.status("Khởi động RabbitMQ riêng / starting a private RabbitMQ…"):
            node = RabbitMQ(folder / "rabbitmq")
            stack.callback(node.stop)
            node.start()
        url, broker = node.url, "RabbitMQ"
    elif url is None:
        if options.broker == "rabbitmq":
            raise ServiceError(
                "chưa cài rabbitmq-server / rabbitmq-server is not installed: an administrator "
                "runs `apt-get install rabbitmq-server`, or use --broker embedded"
            )
        broker = "embedded"
    return url, broker


def _play(
    stages: list[Stage], options: argparse.Namespace, around: Around, centre: Centre
) -> tuple[Verdict, float, str]:
    columns = (
        TextColumn("{task.description:34}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    began = time.monotonic()
    with Progress(*columns, console=console) as bars:
        documents = bars.add_task("Văn bản gửi / documents sent", total=options.messages)
        arrived = bars.add_task("Gói đến nơi / packets arrived", total=None)
        steps = bars.add_task("Bước hồ sơ tới cổng / dossier steps", total=None)
        dossiers = around.dossiers
        asked = bars.add_task("Tra cứu CSDL / look-ups", total=len(dossiers.pushed))

        def report(progress: play.Progress) -> None:
            bars.update(documents, completed=progress.documents)
            bars.update(arrived, completed=progress.arrived, total=progress.expected)

        agencies = [agency for stage in stages for agency in stage.agencies]
        day = play.Day(agencies, options.messages, options.seed, report)
        department = _department(stages)

        def told(progress: Told) -> None:
            bars.update(steps, completed=progress.arrived, total=progress.expected)

        def looked_up(number: int) -> None:
            bars.update(asked, completed=number)

        async def all_of_it() -> list[str]:
            await asyncio.gather(
                day.play(),
                dossiers.play(department, centre, told, day.deadline),
                around.registers.play(department, len(dossiers.pushed), looked_up),
                around.back.play(department, day.deadline),
            )
            return await dossiers.check()

        problems = asyncio.run(all_of_it())
    verdict = judge(day.sent, day.books)
    verdict.problems += problems
    if day.progress.arrived != day.progress.expected:  # statuses never sent count, too
        verdict.problems.append(f"{day.progress.arrived} of {day.progress.expected} arrived")
    return verdict, time.monotonic() - began, day.faulty


def _department(stages: list[Stage]) -> Agency:
    agencies = (agency for stage in stages for agency in stage.agencies)
    return next(each for each in agencies if each.code == DEPARTMENT.code)


def _journal(stage: Stage) -> list[str]:
    """The journal must verify; its problems count like lost messages."""
    report = stage.lgsp("journal", "verify", "--json")
    return [f"journal: {problem}" for problem in report["problems"]]


def _summary(
    stages: list[Stage], verdict: Verdict, seconds: float, broker: str, faulty: str
) -> None:
    table = Table(title="Tổng kết / summary", title_style="bold")
    table.add_column("Cơ quan / agency")
    for name in (
        "Gửi / sent",
        "Phải nhận / due",
        "Đã nhận / arrived",
        f"≤ {IN_TIME_SECONDS:g} s",
        "Gửi lại / retried",
        "Trạng thái về / statuses",
    ):
        table.add_column(name, justify="right")
    for agency in (agency for stage in stages for agency in stage.agencies):
        line = verdict.lines[agency.endpoint]
        numbers = (line.sent, line.to_arrive, line.arrived, line.in_time, line.retried)
        table.add_row(agency.name, *map(str, (*numbers, line.statuses_back)))
    console.print(table)
    total = sum(line.arrived for line in verdict.lines.values())
    console.print(
        f"{total} gói trong {seconds:.1f} s qua {broker} / {total} packets in {seconds:.1f} s "
        f"over {broker}. Hệ thống của {faulty} bị lỗi {play.FAULT_SECONDS:g} s giữa ngày, trục tự "
        f"gửi lại / its system failed for a while and the bus retried by itself.",
        soft_wrap=True,
    )


def _deadlines(stage: Stage, dossiers: Dossiers) -> None:
    """Số liệu giải quyết hồ sơ, as `lgsp dossier figures` has them."""
    found = stage.lgsp("dossier", "figures", *PERIOD, "--json")
    table = Table(title="Giải quyết hồ sơ / dossiers", title_style="bold")
    table.add_column("Cơ quan / agency")
    names = {agency.code: agency.name for agency in stage.agencies}
    for title in FIGURES.values():
        table.add_column(title, justify="right")
    for row in (*found["items"], found["total"]):
        name = names.get(row["agency"], row["agency"] or "Tổng / total")
        table.add_row(name, *(str(row[key]) for key in FIGURES))
    console.print(table)
    changes = sum(len(story.changes) for story in dossiers.stories)
    console.print(
        f"{len(dossiers.stories)} hồ sơ, {changes} thay đổi từ hai phần mềm một cửa tới Cổng DVC "
        f"quốc gia và cổng tỉnh / {len(dossiers.stories)} dossiers, {changes} changes from two "
        "one-stop systems to the national and the provincial portal.",
        soft_wrap=True,
    )


def _came_back(back: Back, total: Mapping[str, Any]) -> None:
    """What citizens did at the portal, and what became of it."""
    table = Table(title="Từ Cổng quốc gia về / back from the portal", title_style="bold")
    for name in ("Luồng / flow", "Đã tới / arrived"):
        table.add_column(name)
    missing = " ".join(back.problems)
    marks = {
        "Hồ sơ trực tuyến về một cửa, đã báo nhận / online submission, acknowledged": (
            "submission" not in missing
        ),
        "Câu hỏi đã được trả lời / question answered": "question" not in missing,
        f"Đánh giá: hài lòng {total['satisfiedPercent']} % / rating: content": (
            total["verySatisfied"] == back.rated
        ),
    }
    for name, good in marks.items():
        table.add_row(name, "✓" if good and back.number else "✗")
    console.print(table)


def _watched(centre: Centre, total: Mapping[str, Any]) -> None:
    """What the operations centre followed, and the live totals on its screen."""
    console.print(
        f"Trung tâm điều hành theo dõi {centre.events} sự kiện qua {centre.connections} lần nối "
        f"luồng; đang xử lý {total['open'] + total['openLate']}, quá hạn {total['openLate']} / the "
        f"operations centre followed {centre.events} events over {centre.connections} connections; "
        f"{total['open'] + total['openLate']} open, {total['openLate']} of them late.",
        soft_wrap=True,
    )


def _looked_up(registers: Registers, accesses: int) -> None:
    """Questions to national databases, and what the journal of accesses knows of them."""
    console.print(
        f"{registers.asked} câu hỏi tới CSDL quốc gia (dân cư, doanh nghiệp); {accesses} lượt truy "
        f"cập về một công dân đã ghi nhật ký; thiếu cán bộ thì bị từ chối / {registers.asked} "
        f"questions to national databases; {accesses} accesses to one citizen were written down; "
        "without an officer the bus refuses.",
        soft_wrap=True,
    )


def _say(verdict: Verdict) -> None:
    if verdict.good:
        console.print(
            "[bold green]✓ ĐẠT / PASS:[/] mọi gói đến nơi đúng một lần, đúng thứ tự, nguyên vẹn "
            "từng byte (qua trục quốc gia: nguyên nội dung, tệp); nhật ký toàn vẹn / every packet "
            "arrived once, in order, byte-equal (beyond the axis: with all it says and its files); "
            "dòng thời gian trên Cổng quốc gia, cổng tỉnh và trung tâm điều hành đúng từng bước / "
            "the portals and the operations centre have every step of every dossier, once, in "
            "order; the journals verify.",
            soft_wrap=True,
        )
        return
    console.print(f"[bold red]✗ KHÔNG ĐẠT / FAIL:[/] {len(verdict.problems)}")
    for problem in verdict.problems[:20]:
        console.print(f"  {problem}", soft_wrap=True)


def _people(stage: Stage) -> list[str]:
    """Who may log in to the console, each with a first password that is changed at log-in."""
    people = (
        ("quantri", "Quản trị hệ thống", "administrator"),
        ("truc", "Cán bộ trực vận hành", "operator"),
        ("kiemtra", "Kiểm tra viên", "auditor"),
        ("xaydung", "Văn thư Sở Xây dựng", "agency", "--agency", DEPARTMENT.code),
    )
    lines = []
    for name, title, role, *limits in people:
        asked = ("--title", title, "--role", role, *limits, "--json")
        password = stage.lgsp("account", "add", name, *asked)["password"]
        lines.append(f"    {name:8}  {password}  {title} / {role}")
    return lines


def _stay(stage: Stage, folder: Path) -> None:
    config = folder / "lgsp.toml"
    keys = ("DATA_DIR", "DATABASE_URL", "BROKER_URL", "BROKER_PREFIX", "SECRETS_DIR")
    lines = [f'{k.lower()} = "{stage.env[f"LGSP_{k}"]}"' for k in keys if f"LGSP_{k}" in stage.env]
    config.write_text("\n".join(lines) + "\n")
    lgsp = Path(sys.executable).with_name("lgsp")
    console.print(
        f"Giao diện vận hành / console: http://127.0.0.1:{stage.env['LGSP_CONSOLE_PORT']}",
        *_people(stage),
        sep="\n",
        soft_wrap=True,
    )
    console.print(
        f"Xem tiếp / look further:\n"
        f"  {stage.url}/docs\n"
        f"  {lgsp} --config {config} message list\n"
        f"  {lgsp} --config {config} dossier list\n"
        f"  {lgsp} --config {config} endpoint list\n"
        f"  {lgsp} --config {config} health\n"
        f"Ctrl-C để dừng / to stop.",
        soft_wrap=True,
    )
    signal.pause()


if __name__ == "__main__":
    sys.exit(main())
