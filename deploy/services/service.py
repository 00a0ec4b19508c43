"""What the private services share: a folder, ports, pid files, starting and ending."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar, Final

from deploy.services import ports
from deploy.services.process import Process, wait_for

# A plain user's PATH may lack the folders where servers are installed.
PATH: Final = f"{os.environ.get('PATH', os.defpath)}:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
START_SECONDS: Final = 90.0  # a cold RabbitMQ takes 5 s on two quiet cores
STOP_SECONDS: Final = 20.0

# "Ends with its parent" means with the parent's *thread* (prctl(2), PR_SET_PDEATHSIG), so services
# are started from a thread that lives as long as the interpreter.
_starter = ThreadPoolExecutor(1, thread_name_prefix="services")


class ServiceError(RuntimeError):
    """A private service cannot run; the text says what to do."""


def newest(*patterns: str) -> Path | None:
    """The installed file with the highest version number in its path."""
    matches = [path for pattern in patterns for path in Path("/").glob(pattern)]
    return max(matches, key=lambda p: [int(n) for n in re.findall(r"\d+", str(p))], default=None)


class Service(ABC):
    """One private service in one folder. Methods block; every wait has a deadline.

    `start` is idempotent: it adopts a healthy instance of the same folder and replaces a sick one.
    With `ends_with_us` the service dies when this Python process does, however that ends.
    Raises ServiceError when the service is not installed or does not come up.
    """

    name: ClassVar[str]
    package: ClassVar[str]  # of Debian and Ubuntu
    port_names: ClassVar[tuple[str, ...]]
    stop_signal: ClassVar[signal.Signals]

    def __init__(self, folder: Path, *, ends_with_us: bool = True) -> None:
        self.folder = folder.resolve()
        self.ends_with_us = ends_with_us
        self._children: list[subprocess.Popen[bytes]] = []

    @classmethod
    @abstractmethod
    def installed(cls) -> bool: ...

    @property
    @abstractmethod
    def url(self) -> str:
        """Where to connect; valid once started, the same after a restart."""

    @abstractmethod
    def _ready(self) -> bool: ...

    @abstractmethod
    def _launch(self) -> None: ...

    def start(self) -> None:
        """Start, or find running, and wait until clients are served."""
        if not self.installed():
            raise ServiceError(
                f"{self.name} is not installed: an administrator runs"
                f" `apt-get install {self.package}` on this machine."
            )
        self.resume()
        if self.running() and wait_for(self._ready, 2):
            return
        self.kill()  # what an earlier run may have left
        self.folder.mkdir(parents=True, exist_ok=True)
        self._choose_ports()
        self._launch()
        self._await_ready()

    def stop(self) -> None:
        """Shut down in good order; by force if that takes longer than STOP_SECONDS."""
        if process := self._process():
            self.resume()
            process.send(self.stop_signal)
            wait_for(lambda: not process.alive(), STOP_SECONDS)
        self.kill()

    def restart(self) -> None:
        self.stop()
        self.start()

    def kill(self) -> None:
        """End it and all it started with SIGKILL, as a power cut would."""
        for pid_file in sorted(self.folder.glob("*.pid"), reverse=True):
            if process := self._process(pid_file.stem):
                process.kill_family()
            pid_file.unlink()
        while self._children:
            self._children.pop().wait(10)

    def pause(self) -> None:
        """Freeze it (SIGSTOP): connections stay open and nothing answers."""
        if process := self._process():
            process.signal_family(signal.SIGSTOP)

    def resume(self) -> None:
        if process := self._process():
            process.signal_family(signal.SIGCONT)

    def running(self) -> bool:
        return self._process() is not None

    @property
    def ports(self) -> dict[str, int]:
        try:
            known: dict[str, int] = json.loads((self.folder / "ports.json").read_text("ascii"))
        except FileNotFoundError:
            raise ServiceError(f"{self.name} in {self.folder} was never started.") from None
        return known

    def _choose_ports(self) -> None:
        """Keep the folder's ports, unless somebody else has taken one meanwhile."""
        file = self.folder / "ports.json"
        if not file.exists() or not all(ports.is_free(port) for port in self.ports.values()):
            file.write_text(json.dumps(ports.choose(self.port_names)), "ascii")

    def _process(self, part: str = "main") -> Process | None:
        """The live process of a pid file, started by us or by an earlier run."""
        try:
            pid, started = (self.folder / f"{part}.pid").read_text("ascii").split()
        except (FileNotFoundError, ValueError):  # ValueError: cut short by a crash
            return None
        process = Process(int(pid), int(started))
        return process if process.alive() else None

    def _spawn(self, part: str, command: list[str], env: dict[str, str], **popen: Any) -> None:
        setpriv = shutil.which("setpriv", path=PATH)
        if self.ends_with_us and setpriv:
            command = [setpriv, "--pdeathsig", "KILL", *command]
        child = _starter.submit(self._open, part, command, env, popen).result()
        self._children.append(child)
        if process := Process.of(child.pid):
            text = f"{process.pid} {process.started}\n"
            (self.folder / f"{part}.pid").write_text(text, "ascii")

    def _open(
        self, part: str, command: list[str], env: dict[str, str], popen: dict[str, Any]
    ) -> subprocess.Popen[bytes]:
        with (self.folder / f"{part}.log").open("ab") as log:
            return subprocess.Popen(
                command,
                env={"PATH": PATH, "LANG": "C.UTF-8", **env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for whoever started us
                **popen,
            )

    def _await_ready(self) -> None:
        wait_for(lambda: not self.running() or self._ready(), START_SECONDS)
        if self.running() and self._ready():
            return
        self.kill()
        log = (self.folder / "main.log").read_text("utf-8", errors="replace")
        tail = "\n".join(log.splitlines()[-15:])
        raise ServiceError(f"{self.name} did not start; its log in {self.folder} ends:\n{tail}")

    def _run(self, command: list[str], env: dict[str, str]) -> str:
        """Run one of the service's own tools and return what it printed."""
        done = subprocess.run(
            command,
            env={"PATH": PATH, "LANG": "C.UTF-8", **env},
            capture_output=True,
            text=True,
            timeout=300,  # rabbitmqctl takes a second, on a loaded machine a minute
            check=False,
        )
        if done.returncode:
            raise ServiceError(f"{' '.join(command)}: {done.stderr or done.stdout}")
        return done.stdout
