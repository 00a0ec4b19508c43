"""Puts a question to a partner at once, over the adapter of the one endpoint that can."""

from __future__ import annotations

from bus.engine.accept import Acceptor
from bus.engine.deliver import CreateAdapter
from bus.engine.live import LiveConfig, Snapshot
from schemas.adapter import Adapter, Payments, Tracking
from schemas.errors import ConfigurationError, InvalidRequest
from schemas.inquiries import Payment, PaymentInquiry, PostalEvent, Subject
from schemas.province import Endpoint


class Inquirer:
    """One per gateway process; adapters live as long as their endpoint is declared so."""

    def __init__(self, acceptor: Acceptor, create: CreateAdapter) -> None:
        self._live: LiveConfig = acceptor.live
        self._manifests = acceptor.manifests
        self._create = create
        self._adapters: dict[str, tuple[Endpoint, Adapter]] = {}

    async def payment(self, inquiry: PaymentInquiry, endpoint: str | None) -> Payment:
        """Raises PartnerError, ConfigurationError, InvalidRequest (which endpoint)."""
        adapter = await self._adapter("payment", endpoint)
        if not isinstance(adapter, Payments):
            raise TypeError(f"{adapter.manifest.kind} says it answers and does not")
        return await adapter.payment(inquiry)

    async def track(self, code: str, endpoint: str | None) -> tuple[PostalEvent, ...]:
        """Raises as `payment` does."""
        adapter = await self._adapter("tracking", endpoint)
        if not isinstance(adapter, Tracking):
            raise TypeError(f"{adapter.manifest.kind} says it answers and does not")
        return await adapter.track(code)

    async def _adapter(self, subject: Subject, name: str | None) -> Adapter:
        endpoint = self._endpoint(self._live.snapshot, subject, name)
        known = self._adapters.get(endpoint.name)
        if known is not None and known[0] == endpoint:
            return known[1]
        adapter = self._create(endpoint)
        self._adapters[endpoint.name] = (endpoint, adapter)
        if known is not None:
            await known[1].close()
        return adapter

    def _endpoint(self, snapshot: Snapshot, subject: Subject, name: str | None) -> Endpoint:
        able = [
            each
            for each in snapshot.endpoints.values()
            if (manifest := self._manifests.get(each.kind)) and subject in manifest.answers
        ]
        fitting = [each for each in able if name in {None, each.name}]
        if len(fitting) == 1:
            return fitting[0]
        if not able:
            raise ConfigurationError(
                f"no endpoint answers questions of {subject}: the administrator declares one",
                vi=f"Chưa khai báo điểm kết nối nào trả lời được {subject}: quản trị trục bổ sung",
            )
        some = ", ".join(sorted(each.name for each in able))
        raise InvalidRequest(
            f"name the endpoint that is to be asked, one of: {some}",
            vi=f"Nêu điểm kết nối cần hỏi, một trong: {some}",
            field="endpoint",
        )

    async def close(self) -> None:
        for _, adapter in self._adapters.values():
            await adapter.close()
        self._adapters.clear()
