"""Secrets made by the bus: in their folder alone, never written over, never in the journal."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bus.ledger.ledger import Ledger
from bus.ledger.secret_lives import EVENT
from bus.ops import secret_files
from bus.settings import Settings
from schemas.errors import ConfigurationError, Conflict, InvalidRequest
from tests.ledgers import prepare


@pytest.fixture
async def ledger(tmp_path: Path, sqlite_url: str) -> AsyncIterator[Ledger]:
    await prepare(sqlite_url)
    opened = await Ledger.open(sqlite_url, tmp_path / "blobs")
    yield opened
    await opened.close()


async def test_made_once_and_read_by_the_bus(ledger: Ledger, tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir()
    made = await secret_files.make(ledger, folder, "yte-2", ends_at=99, actor="console:lan")
    assert len(made) >= 40
    assert Settings(secrets_dir=folder).secret("yte-2") == made.encode()
    assert (folder / "yte-2").stat().st_mode & 0o777 == 0o600
    life = (await ledger.secret_lives.all())["yte-2"]
    assert (life.ends_at, life.actor) == (99, "console:lan")
    entries = [each for each in await ledger.queries.journal() if each.event == EVENT]
    assert [each.data["secret"] for each in entries] == ["yte-2"]
    assert all(made not in str(each.data) for each in entries)

    with pytest.raises(Conflict):
        await secret_files.make(ledger, folder, "yte-2", ends_at=None, actor="lan")
    assert (folder / "yte-2").read_text() == made
    assert [each.name for each in folder.iterdir()] == ["yte-2"], "nothing half written is left"


async def test_a_partners_own_is_kept_as_it_was_given(ledger: Ledger, tmp_path: Path) -> None:
    given = "do-doi-tac-cap-2026"
    await secret_files.make(ledger, tmp_path, "truc", given=given, ends_at=None, actor="lan")
    assert (tmp_path / "truc").read_text() == given


@pytest.mark.parametrize("name", ["../etc", "", ".an", "a/b", "a" * 200])
async def test_names_stay_in_the_folder(ledger: Ledger, tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidRequest):
        await secret_files.make(ledger, tmp_path, name, ends_at=None, actor="lan")


async def test_what_cannot_be_kept_is_not_said_to_be(ledger: Ledger, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest):
        await secret_files.make(ledger, tmp_path, "a", given="ngan", ends_at=None, actor="lan")
    for folder in (None, tmp_path / "khong-co"):
        with pytest.raises(ConfigurationError):
            await secret_files.make(ledger, folder, "a", ends_at=None, actor="lan")
    assert await ledger.secret_lives.all() == {}
