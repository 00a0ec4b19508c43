"""Papers of dossiers: one-stop software hands them in, portals fetch them by a signed URL.

The URL is all that a portal shows: it names the paper and the day it ends, and is signed.  The same
paper of the same dossier always has the same one, so that a record sent again does not change
(portals take a changed URL for another paper).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from bus.gateway import describe_dossiers as describe
from bus.gateway.door import Secrets
from bus.gateway.dossier_models import FileAnswer
from bus.gateway.dossiers import AgencyCode, Code
from bus.gateway.services import Entered, Services, Using
from bus.ledger.dossier_queries import FileRow
from schemas.dossier import parse_dossier_code
from schemas.errors import ConfigurationError, InvalidRequest, NotFound
from schemas.instant import SECOND, Instant, to_iso

router = APIRouter()

PATH = "/files/{token}"
UPLOAD = re.compile(r"/api/v1/dossiers/[^/]+/files")
SECRET = "file-urls"  # noqa: S105 - the name of the secret
PREVIOUS = "file-urls-previous"
"""Name of the secret before it, whose addresses are good until they end; there need not be one."""
_DAY: Instant = 86_400 * SECOND
_ID, _ENDS, _SIGNATURE = 16, 4, 16  # bytes of a token's parts
_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+", re.ASCII)


@router.post(
    "/api/v1/dossiers/{code}/files",
    tags=["dossiers"],
    response_model=FileAnswer,
    **describe.POST_FILE,
)
async def keep_file(
    request: Request,
    services: Using,
    door: Entered,
    code: Code,
    name: Annotated[str, Query(min_length=1, max_length=255, description="tên tệp / its name")],
    agency: AgencyCode = None,
) -> Response:
    signer = Signer(services)
    try:
        code = parse_dossier_code(code)
    except ValueError as error:
        raise InvalidRequest(str(error), vi="Mã hồ sơ không hợp lệ", field="code") from None
    sender = await door.handler_of(code, agency)
    ledger = services.deps.ledger
    blob = ledger.blobs.writer()
    try:
        async for piece in request.stream():
            await blob.write(piece)
        sha256 = await blob.commit()
    finally:
        blob.abort()
    identity = f"{sender}\0{code}\0{name}\0{sha256}".encode()
    number = hashlib.sha256(identity).digest()[:_ID].hex()
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    media = media if _MEDIA_TYPE.fullmatch(media) else "application/octet-stream"
    row = FileRow(number, sender, code, name, media, sha256, blob.size, ledger.clock())
    kept = await ledger.add_file(row, actor=door.caller.actor)
    answer = FileAnswer(
        url=signer.url(kept),
        sha256=sha256,
        size=kept.size,
        expires_at=to_iso(signer.ends(kept) * _DAY) or "",
    )
    return JSONResponse(answer.model_dump(by_alias=True), 201, {"Cache-Control": "no-store"})


@router.head(PATH, include_in_schema=False)
@router.get(PATH, include_in_schema=False)
async def fetch_file(
    request: Request, services: Using, token: Annotated[str, Path(max_length=100)]
) -> Response:
    """For whoever has the URL, until it ends. Every wrong one looks the same."""
    ledger = services.deps.ledger
    number = Signer(services).read(token, ledger.clock())
    row = await ledger.dossiers.file(number) if number is not None else None
    if row is None:
        raise NotFound("no such file, or its time is over", vi="Không có tệp này, hoặc đã hết hạn")
    headers = {
        "Content-Length": str(row.size),
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(row.name, safe='')}",
        "ETag": f'"{row.sha256}"',
        "Cache-Control": "private, no-store",
        "X-Content-Type-Options": "nosniff",
    }
    if request.method == "HEAD":
        return Response(headers=headers, media_type=row.media_type)
    stack = AsyncExitStack()
    pieces = await stack.enter_async_context(ledger.blobs.open(row.sha256))
    return StreamingResponse(_closing(pieces, stack), headers=headers, media_type=row.media_type)


class Signer:
    """Makes and reads the URLs. Raises ConfigurationError while the bus is not set up for it."""

    def __init__(self, services: Services) -> None:
        limits = services.deps.limits
        self._key = services.deps.secrets(SECRET)
        self._previous = _optional(services.deps.secrets, PREVIOUS)
        self._days = limits.file_days
        if limits.public_url is None:
            raise ConfigurationError(
                "public_url is not set: portals could not reach the file",
                vi="Chưa đặt public_url: các cổng không tải được tệp",
            )
        self._base = limits.public_url.rstrip("/")

    def ends(self, row: FileRow) -> int:
        """The day since 1970 at whose beginning it cannot be fetched any more."""
        return row.at // _DAY + self._days + 1

    def url(self, row: FileRow) -> str:
        told = bytes.fromhex(row.id) + self.ends(row).to_bytes(_ENDS, "big")
        token = base64.urlsafe_b64encode(told + self._signature(told)).decode().rstrip("=")
        return f"{self._base}{PATH.format(token=token)}"

    def read(self, token: str, now: Instant) -> str | None:
        """The paper's id; None when the token is not ours or its time is over."""
        try:
            raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except (binascii.Error, ValueError):
            return None
        told, signature = raw[: _ID + _ENDS], raw[_ID + _ENDS :]
        if not any(hmac.compare_digest(signature, each) for each in self._signatures(told)):
            return None
        if int.from_bytes(told[_ID:], "big") * _DAY <= now:
            return None
        return told[:_ID].hex()

    def _signature(self, told: bytes) -> bytes:
        return _signature(self._key, told)

    def _signatures(self, told: bytes) -> list[bytes]:
        keys = [self._key] if self._previous is None else [self._key, self._previous]
        return [_signature(key, told) for key in keys]


def _signature(key: bytes, told: bytes) -> bytes:
    return hmac.digest(key, b"dossier-file\0" + told, "sha256")[:_SIGNATURE]


def _optional(secrets: Secrets, name: str) -> bytes | None:
    try:
        return secrets(name)
    except ConfigurationError:
        return None


async def _closing(pieces: AsyncIterator[bytes], stack: AsyncExitStack) -> AsyncIterator[bytes]:
    async with stack:
        async for piece in pieces:
            yield piece
