"""`lgsp feed` beside a bus whose feed is at work, and `lgsp service job send` against its door."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest

from adapters.faults import Mode
from tests.integration.cli_harness import Cli
from tests.integration.gateway_harness import OFFICE, served
from tests.integration.service_harness import ONE, OTHER, Services, calling
from tests.integration.test_service_feeds import LONG, got, pushing, subscribe, take_all, told
from tests.integration.test_service_jobs import working
from tests.integration.test_service_national import National
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
async def feeding(sqlite_url: str, tmp_path: Path) -> AsyncIterator[National]:
    async with pushing(sqlite_url, tmp_path) as national:
        yield national


async def test_feeds_are_listed_with_cursor_lag_and_what_waits(
    feeding: National, sqlite_url: str, tmp_path: Path
) -> None:
    cli = Cli(sqlite_url, tmp_path)
    await subscribe(feeding)
    await got(feeding, 3)
    (row,) = (await asyncio.to_thread(cli.json, "feed", "list"))["items"]
    (state,) = await feeding.bus.ledger.feeds.states()
    assert (row["name"], row["agency"], row["waiting"]) == ("thu-tuc", OFFICE, 3)
    assert state.cursor
    assert row["cursor"] == state.cursor
    assert row["waitingSince"] < row["dueAt"]
    assert row["lagSeconds"] >= 0
    await take_all(feeding)
    await feeding.sandbox.set_fault("503", retry_after=0)
    await told(feeding, "partner-unavailable")
    shown = (await asyncio.to_thread(cli, "feed", "show", "thu-tuc")).out
    for told_there in (state.cursor, "procedures/changes", "failing", "partner-unavailable"):
        assert told_there in shown
    await asyncio.to_thread(cli, "feed", "show", "khong-co", code=4)


@pytest.fixture
async def on(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Services]:
    async with calling(sqlite_url, tmp_path) as services, working(services):
        yield services


async def test_a_job_is_sent_followed_and_downloaded(
    on: Services, sqlite_url: str, tmp_path: Path
) -> None:
    cli = Cli(sqlite_url, tmp_path)
    asked = [{"SoDinhDanh": ONE}, {"SoDinhDanh": OTHER}]
    (tmp_path / "hoi.ndjson").write_bytes(b"\n".join(map(orjson.dumps, asked)))
    (tmp_path / "khoa").write_text(on.bus.keys["van-phong"] + "\n")
    await on.register.set(Mode.BUSY)  # it is waited for
    async with served(on.bus.app) as url:
        order = ["service", "job", "send", "cong-dan", "TraCuu", "-d", "hoi.ndjson"]
        order += ["-o", "kq.ndjson", "--client", "van-phong", "--url", url, "--ref", "lo-1"]
        why = ["--officer", "CB-01", "--purpose", "khai sinh"]
        sent = asyncio.create_task(
            asyncio.to_thread(cli, *order, *why, "--key-file", "khoa", lang="en")
        )
        await wait_until(lambda: on.register.arrived, LONG, "a question")
        await on.register.set(Mode.OK)
        assert "2/2 answered, 0 failed" in (await sent).out
        lines = (tmp_path / "kq.ndjson").read_bytes().splitlines()
        found = [orjson.loads(each) for each in lines]
        names = [each["reply"]["CongDan"]["HoVaTen"] for each in found]
        assert names == ["NGUYỄN THỊ MẪU", "TRẦN VĂN THỬ"]
        before = len(on.asked)
        await asyncio.to_thread(cli, *order, *why, "--key-file", "khoa", lang="vi")
        assert len(on.asked) == before, "the same reference is the same job"
        await _refused(cli, order, why, tmp_path)
    gone = await asyncio.to_thread(cli, *order, *why, "--key-file", "khoa", code=3)
    assert "does not answer" in gone.err


async def _refused(cli: Cli, order: list[str], why: list[str], folder: Path) -> None:
    (folder / "sai").write_text("lgspk_sai")
    wrong = await asyncio.to_thread(cli, *order, *why, "--key-file", "sai", code=1)
    assert "lgspk_sai" not in wrong.out + wrong.err
    nobody = await asyncio.to_thread(cli, *order, "--key-file", "khoa", code=1)
    assert "Lgsp-Officer" in nobody.err
