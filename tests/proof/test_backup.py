"""Proof: a machine is lost, and a backup taken under load brings everything back that was
acknowledged before it began.

Invariants 1 (accepted means durable), 2 (nothing is lost), 3 (no double effect), 4 (order).
"""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from deploy.services import PostgreSQL
from deploy.stage import StageError
from tests.proof.judge import judge
from tests.proof.load import Sent, keys_for, play
from tests.proof.scene import Scene, scene
from tests.waiting import wait_until

MESSAGES = 600
INLINE = {"LGSP_INLINE_BYTES": "750"}  # of these packets some stand in the ledger, some beside it


async def _backup(stage: Scene, folder: Path) -> tuple[list[Sent], dict[str, Any]]:
    """What was acknowledged before, and what the command says."""
    acknowledged = list(stage.sender.sent)
    said = await asyncio.to_thread(stage.stage.lgsp, "backup", str(folder), "--json")
    return acknowledged, said


async def _backup_under_load(stage: Scene, folder: Path) -> tuple[list[Sent], dict[str, Any]]:
    """One receiver is away, so that much is open; the load goes on during and after the copy."""
    await stage.fault(next(iter(stage.books)), "503")
    load = asyncio.create_task(
        play(
            stage.sender,
            keys_for(stage.targets),
            per_key=5,
            at_once=32,
            rate=400,
            go_on=lambda: len(stage.sender.sent) < MESSAGES,
        )
    )
    await wait_until(lambda: len(stage.sender.sent) > MESSAGES // 3, 30)
    made = await _backup(stage, folder)
    await load
    assert len(stage.sender.sent) > len(made[0]), "the load went on during the copy"
    return made


async def _lose_machine(stage: Scene) -> None:
    for process in stage.stage.bus:
        await asyncio.to_thread(process.kill)
    await asyncio.to_thread(shutil.rmtree, stage.stage.folder / "bus")


@pytest.mark.crash
@pytest.mark.timeout(180)
@pytest.mark.parametrize("ledger", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def test_a_lost_machine_comes_back_from_a_backup_taken_under_load(
    ledger: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("postgres_url") if ledger == "postgres" else None
    async with scene(tmp_path / "stage", database_url=url, settings=INLINE) as stage:
        acknowledged, said = await _backup_under_load(stage, tmp_path / "backup")
        assert said["blobs"] > 0
        await _lose_machine(stage)
        if ledger == "postgres":
            service: PostgreSQL = request.getfixturevalue("postgres")
            another = await asyncio.to_thread(service.create_database, f"{tmp_path.name}-restored")
            stage.stage.env["LGSP_DATABASE_URL"] = another
        restored = await asyncio.to_thread(stage.stage.lgsp, "restore", said["folder"], "--json")
        assert restored["problems"] == []
        assert restored["open"] > 0
        await stage.fault(next(iter(stage.books)), "ok")
        for process in stage.stage.bus:
            process.start()
        await asyncio.to_thread(stage.stage.wait_ready)
        await wait_until(lambda: not judge(acknowledged, stage.books).lost, 60)
        verdict = judge(stage.sender.sent, stage.books)
        since = {sent.message_id for sent in stage.sender.sent} - {
            sent.message_id for sent in acknowledged
        }
        assert verdict.doubled + verdict.altered + verdict.unknown == [], str(verdict)
        assert len(verdict.lost) <= 2 * len(since)
        report = await asyncio.to_thread(stage.stage.lgsp, "journal", "verify", "--json")
        assert report["intact"]


async def test_nothing_is_restored_over_a_ledger_or_from_half_a_copy(tmp_path: Path) -> None:
    async with scene(tmp_path / "stage", settings=INLINE) as stage:
        said = (await _backup(stage, tmp_path / "backup"))[1]
        with pytest.raises(StageError, match="đã có sổ cái"):
            await asyncio.to_thread(stage.stage.lgsp, "restore", said["folder"])
        await _lose_machine(stage)
        half = tmp_path / "backup" / "half"
        await asyncio.to_thread(shutil.copytree, said["folder"], half)
        (half / "manifest.json").unlink()
        with pytest.raises(StageError, match=r"manifest\.json"):
            await asyncio.to_thread(stage.stage.lgsp, "restore", str(half))


async def test_a_copy_that_was_changed_is_told_table_by_table(tmp_path: Path) -> None:
    """And a large original that is gone is named."""
    async with scene(tmp_path / "stage", settings={"LGSP_INLINE_BYTES": "0"}) as stage:
        await stage.sender.send(next(iter(keys_for(stage.targets))), 0)
        said = (await _backup(stage, tmp_path / "backup"))[1]
        await _lose_machine(stage)
        manifest = Path(said["folder"]) / "manifest.json"
        told = json.loads(manifest.read_text())
        told["tables"][0]["rows"] += 1
        manifest.write_text(json.dumps(told))
        blob = next((tmp_path / "backup" / "blobs").glob("??/*"))
        blob.write_bytes(b"other")
        with pytest.raises(StageError, match=r"khác bản sao lưu(.|\n)*thiếu hoặc hỏng"):
            await asyncio.to_thread(stage.stage.lgsp, "restore", said["folder"])
