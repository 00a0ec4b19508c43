"""A private PostgreSQL cluster."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

from deploy.services.ports import LOOPBACK
from deploy.services.process import Process
from deploy.services.service import Service, ServiceError, newest


class PostgreSQL(Service):
    """A cluster with password log-in over loopback TCP, no Unix socket, and fsync on.

    PostgreSQL refuses to run as root: started by root it runs as the package's user `postgres`,
    which must be able to enter the folder.
    """

    name = "PostgreSQL"
    package = "postgresql"
    port_names = ("sql",)
    stop_signal = signal.SIGINT  # "fast": ends sessions, then shuts down in good order
    user: ClassVar[str] = "lgsp"
    settings: Mapping[str, str] = MappingProxyType({})  # of the server, beside our own

    @classmethod
    def installed(cls) -> bool:
        return cls._find("initdb") is not None

    @property
    def url(self) -> str:
        """SQLAlchemy address of the maintenance database; contains the password."""
        return self._url("postgres")

    def create_database(self, name: str) -> str:
        """Create an empty database and return its address."""
        self._client("createdb", name)
        return self._url(name)

    def drop_database(self, name: str) -> None:
        """Drop a database if it exists, ending its sessions."""
        self._client("dropdb", "--if-exists", "--force", name)

    def _url(self, database: str) -> str:
        address = f"{LOOPBACK}:{self.ports['sql']}"
        return f"postgresql+asyncpg://{self.user}:{self._password()}@{address}/{database}"

    def _password(self) -> str:
        return (self.folder / "password").read_text("ascii")

    def _client(self, program: str, *arguments: str) -> None:
        where = ["-h", LOOPBACK, "-p", str(self.ports["sql"]), "-U", self.user]
        command = [self._program(program), *where, *arguments]
        self._run(command, {"PGPASSWORD": self._password()})

    @staticmethod
    def _find(name: str) -> Path | None:
        return newest(f"usr/lib/postgresql/*/bin/{name}", f"usr/local/pgsql*/bin/{name}")

    @classmethod
    def _program(cls, name: str) -> str:
        program = cls._find(name)
        if program is None:
            raise ServiceError(f"This PostgreSQL came without its {name}: install it anew.")
        return str(program)

    @staticmethod
    def _identity() -> dict[str, Any]:
        """Whom to run as (arguments of Popen): ourselves, or `postgres` in root's place."""
        if os.geteuid():
            return {}
        return {"user": "postgres", "group": "postgres", "extra_groups": []}

    def _launch(self) -> None:
        data = self.folder / "data"
        self._clear(data)
        if not data.exists():
            self._initialise(data)
        settings = {
            "listen_addresses": LOOPBACK,
            "port": str(self.ports["sql"]),
            "unix_socket_directories": "",
            "max_connections": "200",
            "shared_buffers": "64MB",
            "timezone": "UTC",
            **self.settings,
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        command = [self._program("postgres"), "-D", str(data), *options]
        self._spawn("main", command, {}, cwd=data, **self._identity())

    @staticmethod
    def _clear(data: Path) -> None:
        """Remove what a postmaster that was killed leaves: sessions, and its pid file.

        The file alone would do no harm, but a dead process that nobody has reaped yet still counts
        as running for the next postmaster.
        """
        for process in Process.in_folder(data):
            process.kill_family()
        (data / "postmaster.pid").unlink(missing_ok=True)

    def _initialise(self, data: Path) -> None:
        """Make the cluster beside its place and move it there: half a cluster is never seen."""
        making = self.folder / "data.new"
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(mode=0o700)
        password = self.folder / "password"
        password.touch(mode=0o600)
        password.write_text(secrets.token_urlsafe(24), "ascii")
        identity = self._identity()
        if identity:
            for path in (making, password):
                shutil.chown(path, identity["user"], identity["group"])
        readable = ["test", "-r", str(password)]
        if subprocess.run(readable, check=False, **identity).returncode:
            raise ServiceError(
                f"PostgreSQL refuses root, and user postgres cannot enter {self.folder}:"
                " choose a folder everybody may enter, for example under /tmp."
            )
        self._initdb(making, password, identity)
        making.rename(data)

    def _initdb(self, making: Path, password: Path, identity: dict[str, Any]) -> None:
        """`--no-sync` spares the flush of an empty cluster; the server itself keeps fsync on."""
        command = [self._program("initdb"), "-D", str(making), "-U", self.user, "--no-sync"]
        command += ["-E", "UTF8", "--locale=C.UTF-8", "-A", "scram-sha-256", f"--pwfile={password}"]
        try:
            subprocess.run(
                command, cwd=making, check=True, capture_output=True, timeout=120, **identity
            )
        except subprocess.CalledProcessError as failure:
            raise ServiceError(f"initdb: {failure.stderr.decode(errors='replace')}") from None

    def _ready(self) -> bool:
        """The line pg_ctl waits for: the postmaster writes its status into its pid file."""
        try:
            lines = (self.folder / "data" / "postmaster.pid").read_text("utf-8").splitlines()
        except OSError:
            return False
        process = self._process()
        ours = process is not None and lines[:1] == [str(process.pid)]
        return ours and len(lines) > 7 and lines[7].strip() == "ready"
