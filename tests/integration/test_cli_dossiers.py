"""Dossiers and mapping tables as the operator sees them on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from openpyxl import Workbook

from bus.ledger.ledger import Ledger
from tests.contract.test_dossiers import record, step
from tests.integration.cli_harness import Cli


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    cli = Cli(f"sqlite+aiosqlite:///{tmp_path}/ledger.db", tmp_path)
    cli.set_up()
    return cli


async def test_dossiers_are_listed_and_shown_without_personal_data(cli: Cli) -> None:
    ledger = await Ledger.open(cli.database_url, cli.folder / "blobs")
    await ledger.accept(record("H99.02-261102-0001", "r"))
    await ledger.accept(step("H99.02-261102-0001", 1, status=5))
    await ledger.close()
    (listed,) = cli.json("dossier", "list", "--status", "5")["items"]
    assert (listed["code"], listed["sender"]) == ("H99.02-261102-0001", "H99.02")
    shown = cli.json("dossier", "show", "H99.02-261102-0001")
    assert [each["stepId"] for each in shown["steps"]] == ["B1"]
    assert [each["kind"] for each in shown["deliveries"]] == ["dossier", "step"]
    assert "Papers asked for" in cli("dossier", "show", "H99.02-261102-0001").out
    cli("dossier", "show", "H99.02-261102-0009", code=4)
    assert cli.json("dossier", "figures", "2025-01-01", "2025-01-31")["items"] == []
    cli("dossier", "figures", "2025-02-01", "2025-01-31", code=1)


def test_mapping_tables_are_imported_with_a_report(cli: Cli) -> None:
    table = cli.folder / "thu-tuc.csv"
    table.write_text("mã địa phương,mã quốc gia\nTT.01,1.000656\nTT.02,\n", "utf-8")
    given = ("mapping", "import", str(table), "--table", "procedure", "--reason", "thử")
    refused = cli(*given, "--json", code=1)
    assert '"applied": false' in refused.out
    assert cli.json("mapping", "list")["items"] == []
    taken = cli.json(*given, "--skip-faulty")
    assert (taken["changed"], taken["rows"]) == (1, 2)
    assert [fault["row"] for fault in taken["faults"]] == [3]
    book = Workbook()
    book.active.append(["local", "national"])  # type: ignore[union-attr]
    book.active.append(["TT.01", "1.000999"])  # type: ignore[union-attr]
    book.active.append(["TT.03", "1.000003"])  # type: ignore[union-attr]
    book.save(cli.folder / "dot-2.xlsx")
    again = ("mapping", "import", "dot-2.xlsx", "--table", "procedure", "--reason", "đợt 2")
    assert cli.json(*again)["changed"] == 2
    assert cli.json(*again)["changed"] == 0
    listed = cli.json("mapping", "list", "--table", "procedure")["items"]
    assert {each["local"]: each["national"] for each in listed} == {
        "TT.01": "1.000999",
        "TT.03": "1.000003",
    }


def test_statuses_of_agencies_are_imported_too(cli: Cli) -> None:
    """A spreadsheet may keep the national number as a number."""
    book = Workbook()
    book.active.append(["cơ quan", "mã nội bộ", "mã quốc gia", "từ ngày"])  # type: ignore[union-attr]
    book.active.append(["H99.02", "Chờ ký", 4, "01/07/2026"])  # type: ignore[union-attr]
    book.active.append(["H99.03", "Chờ ký", 5, None])  # type: ignore[union-attr]
    book.save(cli.folder / "trang-thai.xlsx")
    given = ("mapping", "import", "trang-thai.xlsx", "--table", "status", "--reason", "đợt 1")
    assert cli.json(*given)["changed"] == 2
    assert cli.json(*given)["changed"] == 0
    listed = cli.json("mapping", "list", "--table", "status")["items"]
    assert {each["agency"]: (each["local"], each["national"]) for each in listed} == {
        "H99.02": ("Chờ ký", "4"),
        "H99.03": ("Chờ ký", "5"),
    }


def test_mappings_and_subscriptions_go_out_to_files_and_come_back(cli: Cli) -> None:
    folder = cli.folder / "ra"
    cli("export", "-o", str(folder))
    (folder / "mappings.yaml").write_text(
        'mappings:\n- {table: fee, local: LP.1, national: QG.1, valid_from: "2026-07-01"}\n'
    )
    (folder / "subscriptions.yaml").write_text(
        'subscriptions:\n- {name: la, receivers: ["H38.77"], sender: "H*8"}\n'
    )
    said = cli("plan", "-f", str(folder), code=2).err
    assert "H38.77" in said
    assert "H*8" in said
    (folder / "subscriptions.yaml").unlink()
    cli("apply", "-f", str(folder), "--reason", "thử", "--yes")
    cli("export", "-o", str(folder))
    assert "LP.1" in (folder / "mappings.yaml").read_text()
    assert cli.json("plan", "-f", str(folder))["changes"] == []
