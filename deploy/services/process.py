"""Processes, followed through /proc so that nothing but the right one is ever signalled."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


def wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether the condition came true within so many seconds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def _stat(pid: int) -> tuple[int, int] | None:
    """Parent and start time (clock ticks since boot) of a live process: proc(5), /proc/PID/stat."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    state, parent, *rest = text.rpartition(")")[2].split()
    return None if state in "ZX" else (int(parent), int(rest[17]))


@dataclass(frozen=True)
class Process:
    """A process, told from a later one with the same pid by its start time."""

    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> Process | None:
        stat = _stat(pid)
        return cls(pid, stat[1]) if stat else None

    @classmethod
    def in_folder(cls, folder: Path) -> list[Process]:
        """The live processes whose working directory it is, as far as we may see."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if (entry / "cwd").readlink() == folder and (process := cls.of(int(entry.name))):
                    found.append(process)
        return found

    def alive(self) -> bool:
        return Process.of(self.pid) == self

    def family(self) -> list[Process]:
        """The process and everything it started, directly or not."""
        children: dict[int, list[Process]] = {}
        for entry in Path("/proc").glob("[0-9]*"):
            if stat := _stat(int(entry.name)):
                children.setdefault(stat[0], []).append(Process(int(entry.name), stat[1]))
        found = [self] if self.alive() else []
        for member in found:  # grows while it is walked
            found += children.get(member.pid, [])
        return found

    def send(self, number: signal.Signals) -> None:
        if self.alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def signal_family(self, number: signal.Signals) -> None:
        for member in self.family():
            member.send(number)

    def kill_family(self) -> bool:
        """SIGKILL it and all it started; whether all were gone within 10 s."""
        self.send(signal.SIGSTOP)  # starts nothing more while we look
        family = self.family()
        for member in family:
            member.send(signal.SIGKILL)
        return wait_for(lambda: not any(member.alive() for member in family), 10)
