"""Packets that were fetched and refused, as the operator sees them on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.cli_harness import Cli, Traffic


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    cli = Cli(f"sqlite+aiosqlite:///{tmp_path}/ledger.db", tmp_path)
    cli.set_up()
    return cli


async def test_a_refused_packet_is_listed_and_saved(cli: Cli) -> None:
    assert cli.json("refused", "list")["items"] == []
    ledger = (await Traffic.open(cli)).ledger
    kept = ledger.blobs.writer()
    await kept.write(b"<edXML/>")
    sha256 = await kept.commit()
    await ledger.refuse_packet(
        "truc", "doc-1", sha256=sha256, size=8, code="malformed-packet", reason="no header"
    )
    await ledger.close()

    (row,) = cli.json("refused", "list", "--endpoint", "truc")["items"]
    assert (row["ref"], row["size"], row["reason"]) == ("doc-1", 8, "no header")
    assert cli.json("refused", "list", "--endpoint", "khac")["items"] == []
    assert "malformed-packet" in cli("refused", "list").out
    cli("refused", "save", "truc", "doc-1", "goi-tin.xml")
    assert (cli.folder / "goi-tin.xml").read_bytes() == b"<edXML/>"
    cli("refused", "save", "truc", "doc-1", "goi-tin.xml", code=2)
    cli("refused", "save", "truc", "doc-2", "khac.xml", code=4)
