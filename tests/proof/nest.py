"""Starts processes of the bus in milliseconds: imports it once, then forks for each of them.

`python -m tests.proof.nest` reads orders as lines of JSON: {"name", "argv", "env", "log"} starts
`lgsp argv` (patched as `saboteur.py` reads in env) and {"pid": …} is the answer; when it has ended,
{"ended": pid, "status": …} follows (negative: the signal that ended it).  All of them die with it.
"""

from __future__ import annotations

import ctypes
import json
import os
import random
import selectors
import signal
import subprocess
import sys
import threading
from pathlib import Path
from queue import Queue
from types import TracebackType
from typing import Any, NoReturn, Self

import uuid_utils

PR_SET_PDEATHSIG = 1  # prctl(2)


class Nest:
    """The other side: hands out `Bird`s."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._ordering = threading.Lock()
        self._hatched: Queue[Bird] = Queue()

    def __enter__(self) -> Self:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.proof.nest"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        self._reader = threading.Thread(target=self._read, name="nest", daemon=True)
        self._reader.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._reader.join(30)
        self._process.stdout.close()

    def start(self, name: str, argv: list[str], env: dict[str, str], log: Path) -> Bird:
        assert self._process.stdin is not None
        order = {"name": name, "argv": argv, "env": env, "log": str(log)}
        with self._ordering:
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            self._process.stdin.flush()
            bird = self._hatched.get(timeout=600)
        bird.name, bird.log = name, log
        return bird

    def _read(self) -> None:
        assert self._process.stdout is not None
        birds: dict[int, Bird] = {}
        for line in self._process.stdout:
            said = json.loads(line)
            if "pid" in said:
                bird = birds[said["pid"]] = Bird(said["pid"])
                self._hatched.put(bird)
            else:
                birds.pop(said["ended"]).finish(said["status"])


class Bird:
    """One process of the nest."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.name = ""
        self.log = Path()
        self.ended = threading.Event()
        self.status: int | None = None

    def finish(self, status: int) -> None:
        self.status = status
        self.ended.set()

    @property
    def alive(self) -> bool:
        return not self.ended.is_set()

    def signal(self, number: signal.Signals) -> None:
        if self.alive:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """`kill -9`: no goodbye."""
        self.signal(signal.SIGKILL)
        self.wait()

    def stop(self, seconds: float = 60.0) -> None:
        """SIGTERM, and SIGKILL for one that does not end in time."""
        self.signal(signal.SIGTERM)
        if not self.ended.wait(seconds):
            self.kill()

    def wait(self, seconds: float = 600.0) -> int:
        """Its exit status; negative: the signal that ended it."""
        if not self.ended.wait(seconds):
            raise AssertionError(f"{self.name} does not end, see {self.log}")
        assert self.status is not None
        return self.status


def _brood() -> None:
    """The nest itself."""
    import adapters.registry  # noqa: PLC0415 - imported here, so that each child has them at once
    import bus.app  # noqa: PLC0415
    import bus.cli.app  # noqa: F401, PLC0415
    import tests.proof.saboteur  # noqa: F401, PLC0415

    adapters.registry.adapters()
    assert threading.active_count() == 1, "a fork would leave the other threads' locks behind"
    children: set[int] = set()
    awake, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    with selectors.DefaultSelector() as selector, os.fdopen(0, "rb", buffering=0) as orders:
        selector.register(orders, selectors.EVENT_READ)
        selector.register(awake, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fd == awake:
                    os.read(awake, 1_000)
                elif line := orders.readline():
                    pid = _hatch(json.loads(line))
                    children.add(pid)
                    _say({"pid": pid})
                else:
                    for pid in children:
                        os.kill(pid, signal.SIGKILL)
                    return
            _bury(children)


def _bury(children: set[int]) -> None:
    while children:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        children.discard(pid)
        _say({"ended": pid, "status": os.waitstatus_to_exitcode(status)})


def _say(answer: dict[str, Any]) -> None:
    os.write(1, json.dumps(answer).encode() + b"\n")


def _hatch(order: dict[str, Any]) -> int:
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        _live(order)
    return pid


def _live(order: dict[str, Any]) -> NoReturn:
    """The child: becomes `lgsp …`, and never returns."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        nothing = os.open(os.devnull, os.O_RDONLY)
        log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for number, source in enumerate((nothing, log, log)):
            os.dup2(source, number)
        os.environ.clear()
        os.environ.update(order["env"])
        sys.argv = ["lgsp", *order["argv"]]
        sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
        random.seed()
        uuid_utils.reseed_rng()  # else those hatched in one moment would make the same ids
        from bus.cli.app import main  # noqa: PLC0415 - imported by the nest
        from tests.proof import saboteur  # noqa: PLC0415

        saboteur.prepare(os.environ)
        main()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - the log says it
        sys.excepthook(*sys.exc_info())
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    _brood()
