"""A release to come: the product's migrations and one more, for tests of upgrades."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from alembic.script import ScriptDirectory

from bus.ledger import migrate

REVISION = "9001"
_MORE = Path(__file__).parent / "vectors" / "newer" / "9001_more.py"


@contextmanager
def newer_program(folder: Path) -> Iterator[None]:
    """`migrate` is that of the release to come meanwhile; its migrations lie in `folder`."""
    scripts = folder / "migrations"
    shutil.copytree(migrate._SCRIPTS, scripts)
    head = ScriptDirectory(str(scripts)).get_current_head()
    text = _MORE.read_text().replace("down_revision = None", f'down_revision = "{head}"')
    (scripts / "versions" / _MORE.name).write_text(text)
    with mock.patch.object(migrate, "_SCRIPTS", scripts):
        yield
