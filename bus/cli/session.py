"""One run of the command: its settings, its way to the ledger, and who is acting."""

from __future__ import annotations

import asyncio
import os
import pwd
from collections.abc import Awaitable, Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import typer

from schemas.errors import ConfigurationError

if TYPE_CHECKING:
    from bus.ledger.ledger import Ledger
    from bus.settings import Settings

T = TypeVar("T")


class Session:
    """Kept in the context of typer. Nothing is read or opened before it is asked for."""

    def __init__(self, config: Path | None) -> None:
        self.config = config

    @classmethod
    def of(cls, context: typer.Context) -> Session:
        session = context.find_object(cls)
        assert session is not None, "the root callback makes it"  # noqa: S101
        return session

    @cached_property
    def settings(self) -> Settings:
        """For commands that end by themselves: what goes wrong is theirs to tell, not the log's."""
        # late: `lgsp --help` does without
        from bus.ops import logging  # noqa: PLC0415

        logging.configure(level="ERROR", style="console")
        return self.load()

    def load(self, **given: object) -> Settings:
        """Settings with what was given on the command line. Raises ConfigurationError."""
        from bus.settings import Settings  # noqa: PLC0415 - as above

        return Settings.load(self.config, **given)

    @property
    def actor(self) -> str:
        """Who stands in the journal for what this command does."""
        try:
            name = pwd.getpwuid(os.getuid()).pw_name
        except KeyError:  # a container may run under a number without a name
            name = str(os.getuid())
        return f"cli:{name}"

    def run(self, work: Callable[[Ledger], Awaitable[T]]) -> T:
        """The result of `work`, done with an open ledger.

        Raises LedgerUnavailable, ConfigurationError when there is no ledger yet, and what `work`
        raises.
        """
        return asyncio.run(self._with_ledger(work))

    async def _with_ledger(self, work: Callable[[Ledger], Awaitable[T]]) -> T:
        from bus.ledger.ledger import Ledger  # noqa: PLC0415 - as above

        settings = self.settings
        _refuse_missing(settings.database_url)
        ledger = await Ledger.open(settings.database_url, settings.blob_dir, actor=self.actor)
        try:
            await ledger.queries.ping()
            return await work(ledger)
        finally:
            await ledger.close()


def _refuse_missing(database_url: str) -> None:
    """SQLite makes a file that is not there: a command in the wrong folder must not."""
    dialect, _, path = database_url.partition(":///")
    if dialect.startswith("sqlite") and not Path(path).exists():
        raise ConfigurationError(
            f"There is no ledger at {path}. Look at LGSP_CONFIG and LGSP_DATABASE_URL, "
            "or make one: lgsp migrate",
            vi=f"Không có sổ cái tại {path}. Xem lại LGSP_CONFIG và LGSP_DATABASE_URL, "
            "hoặc tạo mới: lgsp migrate",
        )
