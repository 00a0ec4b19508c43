"""A gateway, a register it calls, and grants: what tests of service calls share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.citizens.sandbox import Sandbox, document
from bus.ops.province_contracts import pinned
from schemas.declared import BreakerPolicy
from schemas.service import Grant, OperationSettings, Personal, Service
from tests.integration.gateway_harness import BUILD, HEALTH, OFFICE, Harness, opened

MAIN = "citizens.wsdl"
DOCUMENTS = {name: document(name) for name in (MAIN, "citizens.xsd")}
ONE, OTHER = "001099000001", "001088000002"
PERSONAL = Personal(subjects=("SoDinhDanh",), reply_subjects=("CongDan/SoDinhDanh",))
OPERATIONS = {
    "TraCuu": OperationSettings(personal=PERSONAL, idempotent=True),
    "Dem": OperationSettings(idempotent=True, attempts=3),
}
WHY = {"Lgsp-Officer": "CB-01", "Lgsp-Purpose": "G15-TP110"}
LIMITED = ("CongDan/SoDinhDanh", "CongDan/HoVaTen", "CongDan/DiaChi/Xa")


def grant(agency: str, service: str = "cong-dan", **given: Any) -> Grant:
    name = f"{service}-{agency.lower()}"
    return Grant(**{"name": name, "agency": agency, "service": service} | given)


@dataclass
class Services:
    """The gateway as a harness, the register, and the service declared."""

    bus: Harness
    register: Sandbox
    service: Service

    async def declare(self, **changed: Any) -> Service:
        """The same version with other settings."""
        new = self.service.model_copy(update=changed)
        await self.bus.declare("service", self.service, new)
        self.service = new
        return new

    async def add(self, **given: Any) -> Service:
        """Another service or version of the same contract and place."""
        new = self.service.model_copy(update=given)
        await self.bus.declare("service", None, new)
        return new

    async def call(
        self,
        operation: str,
        body: Any = None,
        *,
        client: str | None = "van-phong",
        service: str = "cong-dan",
        **headers: str,
    ) -> Any:
        """The answer to a JSON call, officer and purpose given."""
        sent = WHY | {name.replace("_", "-"): value for name, value in headers.items()}
        path = f"/services/{service}/{operation}"
        return await self.bus.call(client, "POST", path, json=body or {}, headers=sent)

    @property
    def asked(self) -> list[str]:
        return [each.operation for each in self.register.asked]


@asynccontextmanager
async def calling(
    database_url: str,
    folder: Path,
    secrets: Callable[[str], bytes] = lambda _: b"key of subjects",
    **given: Any,
) -> AsyncIterator[Services]:
    """`given`: settings of the service."""
    async with (
        Sandbox() as register,
        opened(database_url, folder, secrets=secrets) as bus,
    ):
        await bus.ledger.contracts.keep(list(DOCUMENTS.values()))
        settings: dict[str, Any] = {
            "name": "cong-dan",
            "title_vi": "Sổ công dân mẫu",
            "contract": pinned(MAIN, DOCUMENTS),
            "address": register.url,
            "timeout": 20,
            "operations": OPERATIONS,
            "breaker": BreakerPolicy(failures=50),
        }
        service = Service.model_validate(settings | given)
        await bus.declare("service", None, service)
        await bus.declare("grant", None, grant(OFFICE))
        await bus.declare("grant", None, grant(BUILD, fields=LIMITED))
        await bus.declare("grant", None, grant(HEALTH, operations=("Dem",)))
        yield Services(bus, register, service)
