"""The bus under a sampler: on which part of a message's way its CPU goes.

`python -m tests.bench.sampled FILE serve` runs `lgsp serve` and writes counts by stage to FILE at
every SIGUSR1.  A timer of the process's own CPU time (ITIMER_PROF) interrupts it every few
milliseconds, idle time does not count, and how busy the machine is changes nothing about the
shares.  What runs in C counts for the Python function that called it; the event loop's own share,
reading sockets above all, for what it calls next.
"""

from __future__ import annotations

import json
import signal
import sys
from collections import Counter
from pathlib import Path
from types import FrameType

EVERY = 0.004  # seconds of CPU time

STAGES = {
    "HTTP in: server": ("/uvicorn/", "/starlette/"),
    "gateway: edge, identity, limits, receipt": ("/bus/gateway/", "/bus/ops/"),
    "packet: XML, model, canonical body": ("/schemas/", "/lxml/"),
    "accept: decide, message, original": (
        "/bus/engine/accept.py",
        "/bus/engine/spool.py",
        "/bus/engine/follow.py",
        "/routing/",
    ),
    "group commit: questions, rows, journal": ("/bus/ledger/",),
    "group commit: database client": ("/asyncpg/",),
    "dispatch": ("/bus/engine/dispatch.py",),
    "broker: work and events": (
        "/bus/broker/",
        "/bus/engine/events.py",
        "/aio_pika/",
        "/aiormq/",
        "/pamqp/",
    ),
    "deliver: claim, attempt, judge": ("/bus/engine/", "/adapters/rest_push/"),
    "HTTP out": ("/adapters/", "/aiohttp/"),
}
BACKGROUND = "rounds that look into the ledger"  # SQLAlchemy: never on a message's way
LOOP = "event loop and the rest"


def stage_of(frame: FrameType | None) -> str:
    """The innermost function that belongs to a stage says it, but whoever reads the ledger for a
    round is in the background all the way down.
    """
    found = ""
    while frame is not None:
        path = frame.f_code.co_filename
        if "/sqlalchemy/" in path:
            return BACKGROUND
        found = found or next(
            (name for name, parts in STAGES.items() if any(part in path for part in parts)), ""
        )
        frame = frame.f_back
    return found or LOOP


def install(file: Path) -> None:
    counts: Counter[str] = Counter()

    def sample(_signal: int, frame: FrameType | None) -> None:
        counts[stage_of(frame)] += 1

    def tell(_signal: int, _frame: FrameType | None) -> None:
        new = file.with_suffix(".new")
        new.write_text(json.dumps(counts))
        new.replace(file)
        counts.clear()

    signal.signal(signal.SIGPROF, sample)
    signal.signal(signal.SIGUSR1, tell)
    signal.setitimer(signal.ITIMER_PROF, EVERY, EVERY)


def main() -> None:
    from bus.cli import main as lgsp  # noqa: PLC0415 - its import is not what is measured

    install(Path(sys.argv[1]))
    sys.argv[1:] = sys.argv[2:]
    lgsp()


if __name__ == "__main__":
    main()
