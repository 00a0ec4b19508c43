"""`python -m tests.proof --messages 100000 --backend rabbitmq-postgresql`: breaks the bus, judges.

Prints one JSON verdict with the digests of the histories it rests on; exit status 0: clean.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import uvloop

from deploy.services import PostgreSQL, RabbitMQ
from tests.proof.bugs import BUGS
from tests.proof.nest import Nest
from tests.proof.points import BOTH
from tests.proof.prove import Plan, Services, prove


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.proof")
    parser.add_argument("--messages", type=int, default=1_000, help="at least so many")
    parser.add_argument("--seconds", type=float, default=0, help="at least so long")
    parser.add_argument("--backend", choices=BOTH, default=BOTH[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=150, help="messages a second")
    parser.add_argument("--gap", type=float, default=2, help="seconds between two faults; 0: none")
    parser.add_argument("--settle-seconds", type=float, default=600)
    parser.add_argument("--large", type=int, default=1, help="documents of 150 MiB")
    parser.add_argument("--bug", choices=sorted(BUGS), default="", help="seed one on purpose")
    parser.add_argument("--keep", type=Path, help="folder for histories and logs; stays there")
    options = parser.parse_args()
    plan = Plan(
        messages=options.messages,
        seconds=options.seconds,
        seed=options.seed,
        rate=options.rate,
        gap=options.gap,
        points=True,
        settle_seconds=options.settle_seconds,
        large=options.large,
    )

    def progress(told: int, arrived: int) -> None:
        bar = "█" * min(30, 30 * told // max(1, plan.messages))
        text = f"\r{bar:<30} {told} told, {arrived} arrived"
        print(text, end="", file=sys.stderr, flush=True)

    with ExitStack() as stack:
        folder = options.keep or Path(tempfile.mkdtemp(prefix="lgsp-proof-"))
        folder.mkdir(exist_ok=True)
        if not options.keep:
            folder.chmod(0o755)  # user postgres enters it
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        services = _services(folder, stack) if options.backend == BOTH[1] else None
        nest = stack.enter_context(Nest(folder / "nest.log"))
        verdict = uvloop.run(
            prove(folder, options.backend, plan, nest, services, bug=options.bug, progress=progress)
        )
    print(file=sys.stderr)
    verdict = {"command": " ".join(("python -m tests.proof", *sys.argv[1:]))} | verdict
    print(json.dumps(verdict, indent=2, ensure_ascii=False))
    return 0 if verdict["clean"] else 1


def _services(folder: Path, stack: ExitStack) -> Services:
    rabbitmq, postgres = RabbitMQ(folder / "rabbitmq"), PostgreSQL(folder / "postgres")
    for service in (rabbitmq, postgres):
        stack.callback(service.stop)
        service.start()
    return Services(rabbitmq, postgres, postgres.create_database("proof"))


if __name__ == "__main__":
    sys.exit(main())
