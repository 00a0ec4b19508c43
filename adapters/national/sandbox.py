"""All simulated national services, each under its name, behind one gateway.

`python -m adapters.national.sandbox --port 9401` runs them as a process.
"""

from __future__ import annotations

import argparse
import asyncio
import signal

import uvloop

from adapters.national.business.sandbox import BusinessDesk
from adapters.national.catalogues.sandbox import CataloguesDesk
from adapters.national.civil_status.sandbox import CivilStatusDesk
from adapters.national.combined.sandbox import CombinedDesk
from adapters.national.insurance.sandbox import InsuranceDesk
from adapters.national.judicial_records.sandbox import JudicialRecordsDesk
from adapters.national.population.sandbox import PopulationDesk
from adapters.national.procedures.sandbox import ProceduresDesk
from adapters.national.sandbox_gateway import Desk, NationalSandbox


def all_desks() -> list[Desk]:
    return [
        BusinessDesk(),
        CataloguesDesk(),
        CivilStatusDesk(),
        CombinedDesk(),
        InsuranceDesk(),
        JudicialRecordsDesk(),
        PopulationDesk(),
        ProceduresDesk(),
    ]


async def _run(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with NationalSandbox(all_desks(), host=options.host, port=options.port) as sandbox:
        print(sandbox.url, flush=True)  # noqa: T201 - the address is the program's output
        await stop.wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m adapters.national.sandbox")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    uvloop.run(_run(parser.parse_args()))


if __name__ == "__main__":
    main()
