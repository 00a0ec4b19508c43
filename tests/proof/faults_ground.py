"""What labelled faults need besides partners: a disk that can be lost, a process to be killed."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import time
from pathlib import Path

from bus.ledger.ledger import Ledger
from bus.ops.alerts.processes import PROCESSES
from bus.settings import Settings
from deploy.stage import bare_environment

MEMORY = (Path("/dev/shm"), Path("/run"))  # noqa: S108 - measured, nothing is written there
LEAST = 0.02
"""By which two disks must differ in what is free, to stand for a roomy one and a full one."""


class Volume:
    """A folder for backups on a roomy disk of its own, until that is not mounted any more: what is
    written there then fills a smaller one. The share that must be free lies between the two.
    """

    def __init__(self, folder: Path, roomy: Path, small: Path) -> None:
        self.path = folder / "sao-luu"
        self._roomy, self._small = roomy, small
        self.path.symlink_to(roomy, target_is_directory=True)

    @property
    def share(self) -> float:
        return (_free(self._roomy) + _free(self._small)) / 2

    def lose(self) -> None:
        self._point(self._small)

    def mount(self) -> None:
        self._point(self._roomy)

    def _point(self, to: Path) -> None:
        new = self.path.with_suffix(".new")
        new.symlink_to(to, target_is_directory=True)
        new.replace(self.path)


def _free(path: Path) -> float:
    usage = shutil.disk_usage(path)
    return usage.free / usage.total


def volume(folder: Path) -> Volume | None:
    """None on a machine whose disks are all equally full."""
    places = sorted((each for each in (folder, *MEMORY) if each.exists()), key=_free)
    small, roomy = places[0], places[-1]
    return Volume(folder, roomy, small) if _free(roomy) - _free(small) > LEAST else None


class Second:
    """A second process of the bus, a gateway, that can be killed."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        given = settings.model_dump(mode="json", include={"data_dir", "database_url"})
        self._env = bare_environment() | {
            "LGSP_DATA_DIR": given["data_dir"],
            "LGSP_DATABASE_URL": given["database_url"],
            "LGSP_SECRETS_DIR": str(settings.secrets_dir),
            "LGSP_HTTP_PORT": "0",
            "LGSP_LOG_LEVEL": "ERROR",
            "LGSP_ALERTS": settings.alerts.model_dump_json(),
        }
        self._log = folder / "second.log"
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self, ledger: Ledger) -> None:
        """Until the others know of it, and miss it when it is gone."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "bus.cli", "gateway"],
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        end = time.monotonic() + 60
        while not await self._is_known(ledger):
            if time.monotonic() > end:
                raise AssertionError(f"the second process is not known: {self._log.read_text()}")
            await asyncio.sleep(0.2)

    async def _is_known(self, ledger: Ledger) -> bool:
        kinds = (await ledger.alerts.memory()).get(PROCESSES, {"kinds": {}})["kinds"]
        return bool(kinds.get("gateway", {"full": 0})["full"])

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
