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


async def test_a_refused_packet_is_listed_shown_and_saved(cli: Cli) -> None:
    assert cli.json("refused", "list")["items"] == []
    ledger = (await Traffic.open(cli)).ledger
    kept = ledger.blobs.writer()
    await kept.write(b"<edXML/>")
    sha256 = await kept.commit()
    reason = "no header"
    await ledger.refuse_packet(
        "truc", "doc-1", sha256=sha256, size=8, code="malformed-packet", reason=reason
    )
    await ledger.close()

    (row,) = cli.json("refused", "list", "--endpoint", "truc")["items"]
    assert (row["ref"], row["size"], row["reason"]) == ("doc-1", 8, "no header")
    assert cli.json("refused", "list", "--endpoint", "khac")["items"] == []
    assert "malformed-packet" in cli("refused", "list").out
    shown = cli.json("refused", "show", "truc", "doc-1")
    assert (shown["ref"], shown["sha256"], shown["whoMustAct"]) == ("doc-1", sha256, "sender")
    for lang, who, step in (
        ("en", "the sending system", "corrects the packet (QCVN 102:2016)"),
        ("vi", "hệ thống gửi", "sửa gói tin theo QCVN 102:2016"),
    ):
        words = " ".join(cli("refused", "show", "truc", "doc-1", lang=lang).out.split())
        assert f"malformed-packet: {reason}" in words
        assert who in words
        assert step in words
        assert "lgsp refused save truc doc-1" in words
        assert "<edXML" not in words, "the content is looked at with save alone"
    cli("refused", "show", "truc", "doc-2", code=4)
    cli("refused", "save", "truc", "doc-1", "goi-tin.xml")
    assert (cli.folder / "goi-tin.xml").read_bytes() == b"<edXML/>"
    cli("refused", "save", "truc", "doc-1", "goi-tin.xml", code=2)
    cli("refused", "save", "truc", "doc-2", "khac.xml", code=4)
