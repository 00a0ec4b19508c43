"""Schemathesis, a foreign JSON client, makes requests from the OpenAPI documents: it finds nothing.

Right requests must be answered as described and wrong ones refused, never with an error of the
server.  They come from a seed that never changes, so a run finds what the last one found.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import hypothesis
import requests
import schemathesis
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import positive_data_acceptance

from bus.gateway.limits import GatewayLimits
from bus.gateway.translate.examples import example
from schemas.province import Endpoint
from tests.integration.gateway_harness import Harness, opened, served
from tests.integration.service_harness import calling
from tests.integration.test_service_corpus import Corpus, on, service_name
from tests.unit.translate.corpus import contract

__all__ = ["on"]

OF_THE_BUS, OF_A_SERVICE = 4, 5
"""Requests for each operation that keep to its schema, and so many that do not."""

LASTING = "/api/v1/dossiers/events/stream"
"""Answers without an end."""

BY_LINE = "/api/v1/dossiers/batch"
"""Answers 200 and says of each line whether it is wrong."""

MODES = ("/package", "/jobs", "/changes")
"""Many questions in lines of their own, whose rules are those of the operation asked one by one."""

PARTNERS = (not_a_server_error,)
"""502 and 504 are answers: a register knows few people, a caller may not have the time."""

CORPUS = (
    "attributes.wsdl",
    "choice-repeated.wsdl",
    "extension.wsdl",
    "names-odd.wsdl",
    "nillable.wsdl",
    "rpc-arrays.wsdl",
)

schemathesis.serializer.alias("application/x-ndjson", "text/plain")


def no_fault_of_the_bus(
    _context: schemathesis.CheckContext,
    response: schemathesis.Response,
    _case: schemathesis.Case[Any],
) -> None:
    assert response.status_code != 500


class Fuzzer:
    """Asks as one client; runs in a thread beside the server."""

    def __init__(
        self, url: str, token: str, examples: int, leave_out: tuple[Any, ...] = ()
    ) -> None:
        """`leave_out`: checks of schemathesis that do not apply."""
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"}
        self._examples = examples
        self._leave_out = list(leave_out)

    def find(
        self, document: dict[str, Any], before: Callable[[str], None] = lambda _operation: None
    ) -> int:
        """How many requests were made; raises what schemathesis finds.

        `before` is told the id of each operation before it is asked.
        """
        made = 0
        schema = schemathesis.openapi.from_dict(document)
        schema.config.checks.negative_data_rejection.expected_statuses += ["413"]
        with requests.Session() as session:
            for result in schema.get_all_operations():
                operation: Any = result.ok()  # type: ignore[union-attr]
                if operation.path == LASTING or operation.path.endswith(MODES):
                    continue
                before(operation.definition.raw["operationId"])
                right = self._ask(operation, GenerationMode.POSITIVE, session)
                assert right, operation.label
                made += right
                if operation.path != BY_LINE:
                    made += self._ask_wrongly(operation, session)
        return made

    def _ask_wrongly(self, operation: Any, session: requests.Session) -> int:
        try:
            return self._ask(operation, GenerationMode.NEGATIVE, session)
        except hypothesis.errors.Unsatisfiable:
            return 0  # it takes nothing that could be wrong

    def _ask(self, operation: Any, mode: GenerationMode, session: requests.Session) -> int:
        made = 0

        @hypothesis.settings(
            max_examples=self._examples,
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=list(hypothesis.HealthCheck),
            phases=[hypothesis.Phase.generate],
        )
        @hypothesis.given(case=operation.as_strategy(mode))
        def one(case: schemathesis.Case[Any]) -> None:
            nonlocal made
            made += 1
            case.call_and_validate(
                self._url,
                session,
                self._headers,
                additional_checks=[no_fault_of_the_bus],
                excluded_checks=self._leave_out,
                timeout=60,
            )

        one()
        return made


@asynccontextmanager
async def fuzzing(bus: Harness, examples: int, *leave_out: Any) -> AsyncIterator[Fuzzer]:
    token = await bus.token("van-phong")
    async with served(bus.app) as url:
        yield Fuzzer(url, token, examples, leave_out)


async def test_finds_nothing_in_the_api_of_the_bus(sqlite_url: str, tmp_path: Path) -> None:
    limits = GatewayLimits(public_url="https://lgsp.example")
    async with opened(sqlite_url, tmp_path, limits=limits, secrets=lambda _: b"k") as bus:
        for kind in ("dvcqg", "vnpost"):
            await bus.declare("endpoint", None, Endpoint(name=kind, kind=kind))
        document = (await bus.http.get("/openapi.json")).json()
        # what is right by the schema may still be no packet, no known dossier, no period
        async with fuzzing(bus, OF_THE_BUS, positive_data_acceptance) as fuzzer:
            assert await asyncio.to_thread(fuzzer.find, document) > 100


async def test_finds_nothing_in_a_register(sqlite_url: str, tmp_path: Path) -> None:
    async with calling(sqlite_url, tmp_path) as services:
        bus = services.bus
        document = (await bus.http.get("/services/cong-dan/openapi.json")).json()
        async with fuzzing(bus, OF_A_SERVICE, *PARTNERS) as fuzzer:
            assert await asyncio.to_thread(fuzzer.find, document) > 10


async def test_finds_nothing_in_imported_services(on: Corpus) -> None:
    made = 0
    async with fuzzing(on.bus, OF_A_SERVICE, *PARTNERS) as fuzzer:
        for name in CORPUS:
            path = f"/services/{service_name(name)}/openapi.json"
            document = (await on.bus.http.get(path)).json()

            def answer(operation: str, name: str = name) -> None:
                found = contract(name).operations[operation]
                one_way = found.one_way
                on.partner.reply = None if one_way else found.reply.to_xml(example(found.reply))

            made += await asyncio.to_thread(fuzzer.find, document, answer)
    assert made > 100
