"""Declaring a province, and asking whether all is well, with the real command."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest
from sqlalchemy import delete

from bus.cli.output import when
from bus.ledger.config_store import Change
from bus.ledger.database import Database
from bus.ledger.tables import journal
from schemas.province import Endpoint
from tests.integration.cli_harness import HEALTH, ROOT, WARD, Cli, Traffic
from tests.waiting import wait_until_sync


@pytest.fixture
def cli(sqlite_url: str, tmp_path: Path) -> Cli:
    return Cli(sqlite_url, tmp_path)


async def test_a_province_from_nothing_to_traffic_and_back(ledger_url: str, tmp_path: Path) -> None:
    """On both databases: migrate, plan, apply, see, mend, export, verify."""
    cli = Cli(ledger_url, tmp_path)
    cli("migrate")
    cli("migrate")  # harmless
    assert cli.json("plan", "-f", "province")["counts"] == {"added": 9, "changed": 0, "removed": 0}
    applied = cli.json("apply", "-f", "province", "--reason", "opening")
    assert (applied["revision"], applied["appliedRevision"]) == (0, 1)
    traffic = await Traffic.open(cli)
    try:
        number = await traffic.dead(await traffic.send(HEALTH))
        held = await traffic.send(WARD)
    finally:
        await traffic.ledger.close()
    assert cli.json("delivery", "replay", "--state", "dead", "--yes")["done"] == [number]
    assert cli.json("message", "show", held)["deliveries"][0]["state"] == "held"
    assert cli.json("endpoint", "list")["items"][1]["backlog"]["held"] == 1
    cli("export", "-o", "out")
    assert cli.json("plan", "-f", "out")["changes"] == []
    assert cli.json("journal", "verify")["intact"] is True


def test_plan_shows_what_changes_and_changes_nothing(cli: Cli) -> None:
    cli.set_up()
    file = cli.declared / "all.yaml"
    file.write_text(file.read_text("utf-8").replace("Sở Nội vụ", "Sở Nội vụ mới"), "utf-8")
    out = cli("plan", "-f", "province").out
    assert "~ agency H38.03" in out
    assert 'name: "Sở Nội vụ" → "Sở Nội vụ mới"' in out
    assert "0 to add, 1 to change, 0 to remove" in out
    (change,) = cli.json("plan", "-f", "province")["changes"]
    assert change["fields"] == [{"field": "name", "old": "Sở Nội vụ", "new": "Sở Nội vụ mới"}]
    assert "sửa 1" in cli("plan", "-f", "province", lang="vi").out


def test_apply_puts_the_change_in_force_once(cli: Cli) -> None:
    cli.set_up()
    file = cli.declared / "all.yaml"
    file.write_text(file.read_text("utf-8").replace("Trạm Y tế xã A", "Trạm B"), "utf-8")
    assert "✓ Applied: revision 2." in cli("apply", "-f", "province", "--reason", "r").out
    assert cli.json("agency", "list", "tram b")["items"][0]["code"] == WARD
    assert cli.json("apply", "-f", "province", "--reason", "r")["appliedRevision"] == 2


def test_faults_of_a_declaration_are_all_named_and_nothing_is_applied(cli: Cli) -> None:
    cli("migrate")
    file = cli.declared / "all.yaml"
    text = file.read_text("utf-8")
    file.write_text(text.replace("https://yte.example/in", "nowhere").replace(
        "parent: H38.02}", "parent: H77}"), "utf-8")  # fmt: skip
    done = cli("apply", "-f", "province", "--reason", "r", code=2)
    assert "endpoint so-y-te" in done.err
    assert "parent H77 is not declared" in done.err
    assert cli.json("agency", "list")["items"] == []


def test_export_keeps_out_of_a_folder_with_other_declarations(cli: Cli) -> None:
    cli.set_up()
    assert "all.yaml" in cli("export", "-o", "province", code=1).err
    assert sorted(p.name for p in cli.declared.iterdir()) == ["all.yaml"]


def test_export_forgets_a_kind_of_which_nothing_is_left(cli: Cli) -> None:
    cli.set_up()
    cli("export", "-o", "out")
    assert (cli.folder / "out" / "routes.yaml").exists()
    file = cli.declared / "all.yaml"
    head, _, tail = file.read_text("utf-8").partition("routes:")
    file.write_text(head + tail[tail.index("clients:") :], "utf-8")
    cli("apply", "-f", "province", "--reason", "no more routes")
    cli("export", "-o", "out")
    assert not (cli.folder / "out" / "routes.yaml").exists()
    assert cli.json("plan", "-f", "out")["changes"] == []


async def test_journal_that_was_tampered_with_is_status_1(cli: Cli) -> None:
    cli.set_up()
    traffic = await Traffic.open(cli)
    message_id = await traffic.send(HEALTH)
    await traffic.delivered(message_id)
    await traffic.ledger.close()
    assert "✓" in cli("journal", "verify").out
    database = Database(cli.database_url)
    async with database.write() as connection:
        triggers = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'journal'"
        for (name,) in (await connection.exec_driver_sql(triggers)).all():
            await connection.exec_driver_sql(f"DROP TRIGGER {name}")
        await connection.execute(delete(journal).where(journal.c.event == "accepted"))
    await database.close()
    report = cli.json("journal", "verify", code=1)
    assert report["intact"] is False
    assert "is missing" in str(report["problems"])


# --- health ---------------------------------------------------------------------------------------


@contextmanager
def serving(cli: Cli) -> Iterator[subprocess.Popen[str]]:
    """`lgsp serve` as a process; told to stop at the end, and it must stop well."""
    log = cli.folder / "serve.log"
    with log.open("w", encoding="utf-8") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "bus.cli", "serve", "--port", "0"],
            cwd=cli.folder,
            env={
                "PATH": "/usr/bin:/bin",
                "PYTHONPATH": str(ROOT),
                "LGSP_DATABASE_URL": cli.database_url,
                "LGSP_DATA_DIR": str(cli.folder / "data"),
                "LGSP_SECRET_YTE": "0123456789abcdef0123456789abcdef",
            },
            stderr=stream,
            text=True,
        )
        try:
            wait_until_sync(
                lambda: process.poll() is not None or "bus.started" in log.read_text("utf-8"),
                30,
                lambda: log.read_text("utf-8"),
            )
            yield process
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0, log.read_text("utf-8")
        finally:
            process.kill()
            process.wait()


def levels(cli: Cli, code: int) -> dict[str, list[str]]:
    document = cli.json("health", code=code)
    assert document["ok"] is (code == 0)
    found: dict[str, list[str]] = {}
    for finding in document["findings"]:
        found.setdefault(finding["subject"], []).append(finding["level"])
    return found


def test_health_of_a_bus_that_runs_and_of_one_that_does_not(cli: Cli) -> None:
    cli.set_up()
    with serving(cli):
        assert levels(cli, 0) == {"ledger": ["ok"], "broker": ["ok"], "process": ["ok"] * 3}
    assert levels(cli, 1)["process"] == ["problem"] * 3
    out = cli("health", code=1, lang="vi").out
    assert "✗ Tiến trình worker: 0; khởi động lại: lgsp worker" in out


async def test_health_names_what_waits_for_a_person(cli: Cli) -> None:
    cli.set_up()
    traffic = await Traffic.open(cli)
    await traffic.dead(await traffic.send(HEALTH))
    await traffic.send(WARD)
    await traffic.ledger.open_breaker("so-y-te", probe_at=1, error="refused")
    await traffic.ledger.close()
    cli("endpoint", "pause", "hop-thu", "--reason", "moving")
    texts = {f["text"]["en"]: f["level"] for f in cli.json("health", code=1)["findings"]}
    dead = "so-y-te: 1 dead; see: lgsp delivery list --state dead --endpoint so-y-te"
    held = "so-y-te: 1 held; see: lgsp delivery list --state held --endpoint so-y-te"
    assert (texts[dead], texts[held]) == ("problem", "problem")
    assert texts["so-y-te: breaker open, probes by itself; last error: « refused »"] == "notice"
    assert texts["hop-thu: paused (moving); go on: lgsp endpoint resume hop-thu"] == "notice"


async def test_health_says_in_words_who_has_fallen_silent(cli: Cli) -> None:
    """Not of one that is paused, removed, of another kind, or will be asked again in time."""
    cli.set_up()
    ledger = (await Traffic.open(cli)).ledger
    names = ("truc-im", "truc-loi", "truc-nghi", "truc-chay")
    truc = [Change("endpoint", name, None, Endpoint(name=name, kind="vxp")) for name in names]
    expected = await ledger.config.revision()
    await ledger.config.apply(truc, expected=expected, actor="test", reason="test")
    await ledger.set_paused("truc-nghi", paused=True, actor="test", reason="test")
    for name in ("truc-im", "truc-nghi", "da-bo", "hop-thu"):
        await ledger.note_poll(name, due_at=1, error=None)
    await ledger.note_poll("truc-im", due_at=1, error="partner-timeout: no answer")
    await ledger.note_poll("truc-loi", due_at=1, error="partner-garbage: a web page")
    await ledger.note_poll("truc-chay", due_at=ledger.clock() + 60_000_000, error=None)
    since = when((await ledger.queries.polls())["truc-im"].good_at)
    en_todo = "the operator checks connection, address and secret, then asks the partner"
    vi_todo = "đơn vị vận hành kiểm tra kết nối, địa chỉ và khóa, rồi hỏi đối tác"
    said = {
        "en": (
            f"✗ truc-im: silent since {since}; last error:",
            f"The partner did not answer in time « no answer »; {en_todo}",
            "✗ truc-loi: nothing was ever fetched; last error:",
            "The partner's answer is not its protocol « a web page »",
        ),
        "vi": (
            f"✗ truc-im: không lấy được gì từ {since};",
            f"lỗi gần nhất: Đối tác không trả lời kịp « no answer »; {vi_todo}",
            "✗ truc-loi: chưa lần nào lấy được; lỗi gần nhất:",
            "Đối tác trả lời sai giao thức « a web page »",
        ),
    }
    for lang, lines in said.items():
        out = " ".join(cli("health", code=1, lang=lang).out.split())
        for line in lines:
            assert line in out
        for name in ("truc-nghi", "da-bo", "hop-thu", "truc-chay"):
            assert f"✗ {name}" not in out
    await ledger.note_poll("truc-im", due_at=ledger.clock() + 60_000_000, error=None)
    await ledger.close()
    out = cli("health", code=1).out
    assert "truc-im" not in out
    assert "truc-loi" in out


def test_health_without_a_ledger_or_a_broker_says_so(cli: Cli) -> None:
    broken = {
        "LGSP_DATABASE_URL": "postgresql+asyncpg://lgsp:trap@127.0.0.1:1/none",
        "LGSP_BROKER_URL": "amqp://bus:trap@127.0.0.1:1/",
    }
    done = cli("health", "--json", code=1, env=broken)
    levels = {f["subject"]: f["level"] for f in orjson.loads(done.out)["findings"]}
    assert levels == {"ledger": "problem", "broker": "problem"}
    assert "trap" not in done.out + done.err
