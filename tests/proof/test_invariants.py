"""The invariants of the design that can be shown in seconds, on the embedded bus, one test each.

Those of crashes (2), sick partners (5) and order (4) have files of their own; who may see what (8)
is in tests/integration/test_gateway_access.py. All nine at once are judged by test_proof.py.
"""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tests.proof import packets
from tests.proof.scene import Scene, scene
from tests.waiting import wait_until

ONE = "so-xay-dung"
MIB = 1024 * 1024


@contextmanager
def ledger_down(stage: Scene) -> Iterator[None]:
    """Another writer holds the SQLite file: no transaction of the bus can begin."""
    path = Path(stage.stage.env["LGSP_DATA_DIR"]) / "ledger.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA busy_timeout = 5000")
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


async def test_1_without_the_ledger_there_is_a_503_and_no_receipt(tmp_path: Path) -> None:
    async with scene(tmp_path) as stage:
        key = stage.key("truoc", ONE)
        await stage.sender.send(key, 0)
        with ledger_down(stage):
            status, problem = await stage.sender.post(key.packet("H99.19", 1), ref="ref-1")
        assert (status, problem.get("retryable")) == (503, True)
        assert "messageId" not in problem
        status, receipt = await stage.sender.post(key.packet("H99.19", 1), ref="ref-1")
        assert status == 202, "once the ledger is back the same message is accepted"
        ids = [receipt["messageId"]]
        await wait_until(lambda: stage.arrived()[ONE] == 2, what="both documents")
        effects = stage.books[ONE].effects
        assert [each["message_id"] for each in effects[1:]] == ids, "one receipt, one effect"


async def test_3_the_same_message_has_one_receipt_and_another_content_is_a_conflict(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path) as stage:
        key = stage.key("mot", ONE)
        packet, other = key.packet("H99.19", 0), key.packet("H99.19", 1)
        await stage.sender.send(stage.key("sau", ONE), 0)
        answers = await asyncio.gather(*(stage.sender.post(packet, ref="r") for _ in range(20)))
        assert {status for status, _ in answers} == {202}
        assert len({receipt["messageId"] for _, receipt in answers}) == 1
        assert all(receipt == answers[0][1] for _, receipt in answers)
        status, problem = await stage.sender.post(other, ref="r")
        assert (status, problem["code"]) == (409, "duplicate-message")
        await wait_until(lambda: stage.arrived()[ONE] == 2, what="two effects")
        shas = [each["sha256"] for each in stage.books[ONE].arrivals]
        assert shas.count(hashlib.sha256(packet).hexdigest()) == 1


async def test_6_the_decision_is_stored_and_explained(tmp_path: Path) -> None:
    async with scene(tmp_path) as stage:
        packet = packets.document(
            sender="H99.19", receivers=["H99.01"], document_id="d", subject="Kế thừa điểm kết nối"
        )
        status, receipt = await stage.sender.post(packet)
        assert status == 202
        shown = await stage.sender.get(f"/api/v1/messages/{receipt['messageId']}")
        decided = shown["decision"][0]
        assert (decided["agency"], decided["endpoint"]) == ("H99.01", "van-phong-ubnd")
        assert any("H99" in step for step in decided["stepsVi"]), "says from whom it is inherited"
        explained = await asyncio.to_thread(stage.stage.lgsp, "explain", receipt["messageId"])
        assert "van-phong-ubnd" in str(explained)


async def test_7_the_original_bytes_arrive(tmp_path: Path) -> None:
    """Odd but legal spelling that any rewriting would straighten out."""
    packet = packets.document(
        sender="H99.19", receivers=["H99.14"], document_id="d", subject="Dấu & <ngoặc>"
    )
    packet = packet.replace(b"<e:Subject>", b"<e:Subject\n >").replace(b"?>\n", b"?>\r\n<!-- x -->")
    async with scene(tmp_path) as stage:
        status, receipt = await stage.sender.post(packet)
        assert status == 202, receipt
        await wait_until(lambda: stage.arrived()[ONE] == 1, what="the document")
        digest = hashlib.sha256(packet).hexdigest()
        assert stage.books[ONE].effects[0]["sha256"] == digest == receipt["sha256"]


async def test_9_memory_stays_flat_while_100_mb_pass(tmp_path: Path) -> None:
    async with scene(tmp_path) as stage:
        pid = stage.process("serve").pid
        await stage.sender.send(stage.key("am-may", ONE), 0)
        await wait_until(lambda: stage.arrived()[ONE] == 1, what="a warm bus")
        before = _peak(pid)
        packet = packets.document(
            sender="H99.19",
            receivers=["H99.14"],
            document_id="lon",
            subject="Hồ sơ lớn",
            attachment="QUJD" * (25 * MIB),
        )
        assert len(packet) > 100 * MIB
        status, receipt = await stage.sender.post(packet)
        assert status == 202, receipt
        await wait_until(lambda: stage.arrived()[ONE] == 2, 60, what="100 MB at the receiver")
        assert stage.books[ONE].effects[1]["size"] == len(packet)
        assert stage.books[ONE].effects[1]["sha256"] == hashlib.sha256(packet).hexdigest()
        grown = _peak(pid) - before
        print(f"\npeak memory grew by {grown / MIB:.1f} MiB")
        assert grown < 64 * MIB


def _peak(pid: int) -> int:
    """Bytes of memory the process ever held (VmHWM of proc(5))."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    line = next(each for each in lines if each.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024
