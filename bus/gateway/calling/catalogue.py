"""Declared services ready to be called: contracts compiled once, and again when they change."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from bus.engine.live import LiveConfig, Snapshot
from bus.gateway import translate
from bus.gateway.national import compile_contract, in_force
from bus.gateway.translate import Operation
from bus.ledger.contracts import Contracts
from schemas.errors import NotFound
from schemas.service import Service
from schemas.xml import Limits

MAX_MESSAGE = 16 * 1024 * 1024
"""Bytes of a request or an answer."""

LIMITS = Limits(size=MAX_MESSAGE, elements=500_000, attributes=500_000)


@dataclass(frozen=True, slots=True)
class Compiled:
    """A contract and the documents it is made of, which never change."""

    contract: translate.Contract
    documents: Mapping[str, bytes]
    main: str


@dataclass(frozen=True, slots=True)
class Served:
    """One version of a service as declared now; hold on to it for the whole of a call."""

    service: Service
    compiled: Compiled

    @property
    def operations(self) -> Mapping[str, Operation]:
        return self.compiled.contract.operations

    def operation(self, name: str) -> Operation:
        """Raises NotFound."""
        found = self.operations.get(name)
        if found is None or found.problems:
            known = ", ".join(key for key, each in self.operations.items() if not each.problems)
            raise NotFound(
                f"service {self.service.id} has no operation {name[:50]}; there are {known[:500]}",
                vi=f"Dịch vụ {self.service.id} không có thao tác {name[:50]}; có: {known[:500]}",
            )
        return found


class Catalogue:
    """Finds services by name. One per process.

    Nothing is compiled before it is asked for; changed contracts count at once, and calls in hand
    end with what they began with.
    """

    def __init__(self, live: LiveConfig, contracts: Contracts) -> None:
        self._live = live
        self._contracts = contracts
        self._compiled: dict[str, asyncio.Task[Compiled]] = {}
        self._served: dict[str, tuple[Service, Served]] = {}  # as declared → as in force
        self._for: Snapshot | None = None

    @property
    def services(self) -> list[Service]:
        """All that are declared, in order of names."""
        return sorted(self._live.snapshot.services.values(), key=lambda each: each.id)

    def declared(self, name: str) -> Service:
        """By `name@version`, or by the name alone: its current version. Raises NotFound."""
        services = self._live.snapshot.services
        found = services.get(name)
        if found is None and "@" not in name:
            versions = [each for each in services.values() if each.name == name]
            current = [each for each in versions if each.current]
            found = (current or versions)[0] if current or len(versions) == 1 else None
        if found is None:
            raise NotFound(f"there is no service {name[:100]}", vi=f"Không có dịch vụ {name[:100]}")
        return found

    async def find(self, name: str) -> Served:
        """Raises NotFound, InvalidContract, LedgerUnavailable (a contract not compiled yet)."""
        service = self.declared(name)
        if self._for is self._live.snapshot:
            declared, known = self._served.get(service.id, (None, None))
            if known is not None and declared is service:
                return known
        compiled = await self._compile(service)
        declared, served = self._served.get(service.id, (None, None))
        if served is None or declared is not service or served.compiled is not compiled:
            served = Served(in_force(service, compiled.contract), compiled)
            self._served[service.id] = (service, served)
        return served

    async def _compile(self, service: Service) -> Compiled:
        self._forget_unused()
        key = _key(service)
        task = self._compiled.get(key)
        if task is None:
            task = asyncio.create_task(self._read(service), name="compile")
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._compiled[key] = task
        try:
            return await asyncio.shield(task)
        except BaseException:
            if task.done() and self._compiled.get(key) is task:
                del self._compiled[key]  # tried again by the next who asks
            raise

    async def _read(self, service: Service) -> Compiled:
        documents = await self._contracts.read(service.contract.documents)
        main = service.contract.main
        made = await asyncio.to_thread(
            compile_contract, documents, main, names=service.soap, limits=LIMITS
        )
        return Compiled(made, documents, main)

    def _forget_unused(self) -> None:
        snapshot = self._live.snapshot
        if self._for is snapshot:
            return
        self._for = snapshot
        used = {_key(service) for service in snapshot.services.values()}
        self._compiled = {key: task for key, task in self._compiled.items() if key in used}
        self._served = {}


def _key(service: Service) -> str:
    documents = sorted(service.contract.documents.items())
    return f"{service.contract.main}\n{documents}\n{service.soap!r}"
