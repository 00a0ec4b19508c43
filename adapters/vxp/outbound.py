"""Towards the axis: one packet for all its receivers there; and the class of the adapter."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import ClassVar, NamedTuple

import aiohttp

from adapters.http import FAILURES, failure_outcome
from adapters.upload import PIECE, Upload
from adapters.vxp import directory
from adapters.vxp.client import AxisClient
from adapters.vxp.codec import MESSAGE_ID, OCTETS, SERVICE, MessageType, send_outcome
from adapters.vxp.config import VxpConfig
from adapters.vxp.manifest import MANIFEST
from adapters.vxp.polling import Fetcher
from adapters.vxp.signing import hash_file
from schemas.adapter import (
    AdapterConfig,
    Inbox,
    ListedAgency,
    Manifest,
    OutboundDelivery,
    Outcome,
    Result,
)
from schemas.edxml import RecipientCut
from schemas.errors import PartnerGarbage, Unavailable


class Vxp:
    """One connection to the axis. Safe for many deliveries at once."""

    manifest: ClassVar[Manifest] = MANIFEST
    config_model: ClassVar[type[AdapterConfig]] = VxpConfig

    def __init__(
        self,
        config: VxpConfig,
        *,
        http: aiohttp.ClientSession,
        secrets: Callable[[str], bytes],
    ) -> None:
        """Resolves the secret once; raises ConfigurationError when it is missing or weak."""
        self._client = AxisClient(config, http=http, secrets=secrets)
        self._fetcher = Fetcher(self._client)

    @property
    def interval(self) -> float:
        """Seconds between rounds of fetching."""
        config = self._client.config
        return config.poll_seconds

    @property
    def directory_interval(self) -> float:
        """Seconds between readings of the agency directory."""
        return self._client.config.directory_hours * 3600

    async def deliver(self, delivery: OutboundDelivery) -> Outcome:
        """One attempt; how long it may take is in `VxpConfig.min_upload_rate`.

        After an unknown outcome the packet is sent again: the axis's list of sent packets names
        number and subject of a document, which its recall and its correction share, so that it
        cannot tell whether this very packet arrived.  Receivers recognise a repeat.
        """
        try:
            body = await _body(delivery)
        except OSError as error:
            detail = f"The original could not be read ({type(error).__name__})."
            return Outcome(Result.TRANSIENT, code=Unavailable.code, detail=detail)
        if body.size <= PIECE and delivery.content is not None:
            data = b"".join([piece async for piece in body.open()])
            return await self._post(delivery, data, body)
        upload = Upload(body.open(), body.size, OCTETS)
        outcome = await self._post(delivery, upload, body)
        if upload.fault:
            return Outcome(Result.TRANSIENT, code=Unavailable.code, detail=upload.fault)
        if outcome.result is Result.DELIVERED and upload.written < body.size:
            detail = "The axis acknowledged before it had the whole packet."
            return Outcome(Result.UNKNOWN, "", PartnerGarbage.code, detail, outcome.answer)
        return outcome

    async def poll(self, inbox: Inbox) -> int:
        return await self._fetcher.poll(inbox)

    def agencies(self) -> AsyncGenerator[ListedAgency, None]:
        return directory.agencies(self._client)

    async def register(self, code: str, name: str) -> None:
        await directory.register(self._client, code, name)

    async def remove(self, code: str) -> None:
        await directory.remove(self._client, code)

    async def close(self) -> None:
        """Nothing to release: the HTTP session belongs to the process."""

    async def _post(self, delivery: OutboundDelivery, data: bytes | Upload, body: _Body) -> Outcome:
        status = delivery.kind == MessageType.STATUS.value
        fields = {
            "servicetype": SERVICE,
            "messagetype": MessageType.STATUS.value if status else MessageType.EDOC.value,
            "hash-file": hash_file(body.digest),
            "from": delivery.addressed.sender if delivery.addressed else delivery.sender,
        }
        extra = {MESSAGE_ID: delivery.message_id}
        if delivery.trace:
            extra["traceparent"] = delivery.trace
        try:
            return send_outcome(await self._client.upload(data, body.size, fields, extra))
        except FAILURES as error:
            return failure_outcome(error)


class _Body(NamedTuple):
    """What is sent: the original, or the original with its To list cut."""

    size: int  # bytes
    digest: bytes  # SHA-256
    open: Callable[[], AsyncGenerator[bytes, None]]


async def _body(delivery: OutboundDelivery) -> _Body:
    """A cut packet is read twice: its hash is sent before it."""
    addressed = delivery.addressed
    if addressed is None or addressed.whole:
        return _Body(delivery.size, bytes.fromhex(delivery.sha256), delivery.read)
    digest, size = hashlib.sha256(), 0
    async with aclosing(_cut(delivery, addressed.receivers)) as pieces:
        async for piece in pieces:
            digest.update(piece)
            size += len(piece)
    return _Body(size, digest.digest(), lambda: _cut(delivery, addressed.receivers))


async def _cut(
    delivery: OutboundDelivery, receivers: tuple[str, ...]
) -> AsyncGenerator[bytes, None]:
    cut = RecipientCut(receivers)
    async with aclosing(delivery.read()) as pieces:
        async for piece in pieces:
            if out := cut.feed(piece):
                yield out
    cut.close()
