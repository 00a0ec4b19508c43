"""The whole bus as a process beside a test, to be killed; it does what stands in the ledger."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]


@contextmanager
def bus_process(database_url: str, folder: Path, **secrets: str) -> Iterator[subprocess.Popen[str]]:
    """Runs `lgsp serve` on a free port until the end, or until it is killed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LGSP_")}
    named = {f"LGSP_SECRET_{name.upper()}": value for name, value in secrets.items()}
    settings = {
        "LGSP_DATA_DIR": str(folder),
        "LGSP_DATABASE_URL": database_url,
        "LGSP_HTTP_PORT": "0",
        "PYTHONPATH": str(ROOT),
    }
    with (folder / "bus.log").open("a") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "bus.cli", "serve"],
            env=kept | settings | named,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            text=True,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
