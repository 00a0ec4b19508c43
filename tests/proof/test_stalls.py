"""Proof: the bus goes on by itself after whatever made other buses stand still (invariants 2, 5).

`python -m tests.proof.stalls` measures how soon, twenty times over; here it only has to.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import uvloop

from deploy.services import PostgreSQL, RabbitMQ
from tests.proof.nest import Nest
from tests.proof.stall_bench import bench
from tests.proof.stall_scenarios import SCENARIOS
from tests.proof.stalls import Results, once

pytestmark = [pytest.mark.crash, pytest.mark.rabbitmq, pytest.mark.postgres]


@pytest.fixture(scope="module")
def results(
    request: pytest.FixtureRequest,
    services_folder: Path,
    rabbitmq: RabbitMQ,
    postgres: PostgreSQL,
) -> Iterator[Results]:
    """One stand for all of them that are asked for."""
    asked = {getattr(item, "callspec", None) and item.name for item in request.session.items}
    scenarios = [each for each in SCENARIOS if any(f"[{each.name}]" in (x or "") for x in asked)]
    folder = services_folder / "stalls"
    folder.mkdir()
    rabbitmq.start()
    url = postgres.create_database("stalls")
    with Nest(folder / "nest.log") as nest:

        async def run() -> Results:
            built = partial(bench, seconds=1.0, many=100)
            async with built(folder, nest, rabbitmq, postgres, url) as one:
                return await once(one, scenarios)

        yield uvloop.run(run())
    rabbitmq.ctl("set_vm_memory_high_watermark", "0.4")
    postgres.start()
    postgres.drop_database("stalls")


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", [each.name for each in SCENARIOS])
def test_it_goes_on_by_itself(results: Results, name: str) -> None:
    assert isinstance(results[name], float), results[name]
