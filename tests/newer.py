"""A release to come: the product's migrations and some more, for tests of upgrades."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from alembic.script import ScriptDirectory

from bus.ledger import migrate

MORE = Path(__file__).parent / "vectors" / "newer"


@contextmanager
def newer_program(folder: Path) -> Iterator[None]:
    """`migrate` is that of the release to come meanwhile; its migrations lie in `folder`."""
    scripts = folder / "migrations"
    shutil.copytree(migrate._SCRIPTS, scripts)
    head = ScriptDirectory(str(scripts)).get_current_head()
    for path in MORE.glob("*.py"):
        text = path.read_text().replace('"HEAD"', f'"{head}"')
        (scripts / "versions" / path.name).write_text(text)
    with mock.patch.object(migrate, "_SCRIPTS", scripts):
        yield
