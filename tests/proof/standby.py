"""A streaming standby (máy dự phòng) of a private PostgreSQL, to be promoted."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from deploy.services import PostgreSQL
from deploy.services.ports import LOOPBACK

NAME = "standby"


class Primary(PostgreSQL):
    """Says "committed" once its standby has it on disk."""

    settings = {"synchronous_commit": "on", "synchronous_standby_names": NAME}  # noqa: RUF012


class Standby(PostgreSQL):
    """Follows `primary`, whose password and databases it has."""

    settings = {"synchronous_standby_names": ""}  # noqa: RUF012 - it has no standby of its own

    def __init__(self, folder: Path, primary: PostgreSQL) -> None:
        super().__init__(folder)
        self._primary = primary

    def promote(self) -> None:
        """Returns when it takes writes."""
        self._client("psql", "-qAtc", "SELECT pg_promote(true, 60)", "postgres")

    def _initdb(self, making: Path, password: Path, identity: dict[str, Any]) -> None:
        secret = self._primary._password()
        password.write_text(secret, "ascii")
        said = f"host={LOOPBACK} port={self._primary.ports['sql']} user={self.user}"
        command = [self._program("pg_basebackup"), "-D", str(making), "--no-sync", "-X", "stream"]
        command += ["--checkpoint=fast", "-d", said]
        self._run(command, {"PGPASSWORD": secret})
        (making / "standby.signal").touch()
        follow = f"{said} password={secret} application_name={NAME}"
        with (making / "postgresql.auto.conf").open("a") as file:
            file.write(f"primary_conninfo = '{follow}'\n")
        if identity:
            for path in (making, *making.rglob("*")):
                shutil.chown(path, identity["user"], identity["group"])


def both(primary: PostgreSQL, standby: PostgreSQL, database: str) -> str:
    """One address for the bus: whichever of the two takes writes."""
    password = primary._password()
    places = ",".join(f"{LOOPBACK}:{each.ports['sql']}" for each in (primary, standby))
    return f"postgresql+asyncpg://{PostgreSQL.user}:{password}@{places}/{database}"
