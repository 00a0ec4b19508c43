"""`python -m tests.bench.directory [AGENCIES]`: the axis's directory, first and unchanged reading.

The axis runs as a process of its own. RSS is of this process, which also follows the configuration
as a running bus does; the time of one accept's part of the directory is told before and after.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

from adapters.http import open_session
from adapters.registry import create
from bus.engine.directories import apply, compare
from bus.engine.live import LiveConfig
from bus.ledger.config_store import Change
from bus.ledger.ledger import Ledger
from bus.ledger.migrate import migrate
from bus.ops import province_files
from bus.ops.province_diff import diff
from schemas.adapter import DirectorySource
from schemas.province import Agency, Endpoint

SECRET = "secret-of-home-aaaa"
SYSTEM = "00.38.W00"
ON = date(2026, 11, 24)


def _megabytes(field: str = "VmRSS") -> float:
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1]) / 1024


def _told(what: str, since: float) -> None:
    now, peak = _megabytes(), _megabytes("VmHWM")
    print(f"{what:38} {time.perf_counter() - since:7.2f} s  RSS {now:6.0f} MB, peak {peak:.0f} MB")


def _resolve(live: LiveConfig) -> None:
    directory, since = live.snapshot.directory, time.perf_counter()
    for _ in range(100_000):
        directory.resolve("H38.01", ON)
    print(f"resolve: {(time.perf_counter() - since) * 10:.2f} µs of {len(directory)} agencies")


async def _measure(folder: Path, url: str) -> None:
    ledger_url = f"sqlite+aiosqlite:///{folder / 'ledger.db'}"
    await migrate(ledger_url)
    ledger = await Ledger.open(ledger_url, folder / "blobs")
    endpoint = Endpoint(
        name="truc", kind="vxp", config={"url": url, "systemid": SYSTEM, "secret": "truc"}
    )
    office = Agency(code="H38.01", name="Văn phòng")
    changes = [
        Change("endpoint", "truc", None, endpoint),
        Change("agency", "H38.01", None, office),
    ]
    await ledger.config.apply(changes, expected=0, actor="bench", reason="bench")
    live = LiveConfig(ledger.config)
    await live.start()
    _told("before", time.perf_counter())
    _resolve(live)
    async with open_session() as http:
        source = create("vxp", endpoint.config, http=http, secrets=lambda _name: SECRET.encode())
        assert isinstance(source, DirectorySource)
        for title in ("first reading", "unchanged reading"):
            since, snapshot = time.perf_counter(), live.snapshot
            found = await compare(source, "truc", snapshot.directory)
            _told(f"{title}: read, compared", since)
            revision = await apply(ledger, "truc", found, expected=snapshot.revision, actor="bench")
            _told(f"{title}: {len(found.changes)} changes applied", since)
            del found
            since = time.perf_counter()
            while live.snapshot.revision < revision:
                await asyncio.sleep(0.02)
            _told(f"{title}: followed", since)
    _resolve(live)
    since, revision = time.perf_counter(), live.snapshot.revision
    change = Change("agency", "H38.01", office, office.model_copy(update={"name": "Văn phòng 1"}))
    await ledger.config.apply([change], expected=revision, actor="bench", reason="bench")
    while live.snapshot.revision == revision:
        await asyncio.sleep(0.02)
    _told("one agency changed: followed", since)
    since = time.perf_counter()
    province = await ledger.config.province()
    files = province_files.export(province)
    _told(f"export: {sum(map(len, files.values()))} characters", since)
    own = province.model_copy(
        update={"agencies": tuple(each for each in province.agencies if each.source is None)}
    )
    diff(province, own, check_endpoint=lambda _endpoint: [])
    _told("export and plan", since)
    await live.close()
    await ledger.close()


async def main(agencies: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        provinces = [{"systemid": SYSTEM, "secret": SECRET, "codes": ["H38.01"]}]
        (folder / "provinces.json").write_text(json.dumps(provinces))
        axis = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "adapters.vxp.sandbox", "--agencies", str(agencies)),
            *("--provinces", str(folder / "provinces.json")),
            stdout=asyncio.subprocess.PIPE,
        )
        assert axis.stdout is not None
        try:
            await _measure(folder, (await axis.stdout.readline()).decode().strip())
        finally:
            axis.terminate()
            await axis.wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 120_000))
