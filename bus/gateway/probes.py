"""/healthz, /readyz and /metrics."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse, Response

from bus.gateway import describe
from bus.gateway.gate import address
from bus.gateway.models import Live, PartAnswer, ReadyAnswer
from bus.ops import metrics
from bus.ops.health import Examiner
from schemas.errors import Unauthenticated

router = APIRouter(tags=["probes"])


@dataclass(frozen=True, slots=True)
class Probed:
    """What a process tells about itself; kept in `app.state.probed`."""

    metrics: metrics.Metrics
    health: Examiner
    metrics_token: str | None = None  # lets a scraper on another machine read /metrics
    leaving: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the process was told to end: whoever chooses between gateways chooses another."""


def _probed(request: Request) -> Probed:
    probed: Probed = request.app.state.probed
    return probed


Asked = Annotated[Probed, Depends(_probed)]

_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz", **describe.HEALTH)
async def healthz() -> Live:
    return Live()


@router.head("/readyz", include_in_schema=False)
@router.get("/readyz", **describe.READY)
async def readyz(probed: Asked) -> JSONResponse:
    health = await probed.health()
    parts = [
        PartAnswer(name=part.name, up=part.up, required=part.required, reason=part.reason)
        for part in health.parts
    ]
    leaving = probed.leaving.is_set()
    answer = ReadyAnswer(status="leaving" if leaving else health.status, parts=parts)
    status = 200 if health.ready and not leaving else 503
    return JSONResponse(answer.model_dump(by_alias=True), status, {"Cache-Control": "no-store"})


@router.get("/metrics", **describe.METRICS)
async def read_metrics(request: Request, probed: Asked) -> Response:
    """For a scraper on this machine, or one that has the metrics token.

    Numbers and names of endpoints only, but a province's traffic is nobody else's business.
    """
    if not (_has_token(request, probed.metrics_token) or _is_local(request)):
        raise Unauthenticated(
            "metrics need the metrics token, or a scraper on the same machine",
            vi="Cần mã đọc số liệu, hoặc đọc từ chính máy chủ này",
        )
    return Response(probed.metrics.render(), media_type=metrics.CONTENT_TYPE)


def _has_token(request: Request, token: str | None) -> bool:
    scheme, _, offered = request.headers.get("authorization", "").partition(" ")
    if token is None or scheme.lower() != "bearer":
        return False
    return hmac.compare_digest(offered.strip().encode(), token.encode())


def _is_local(request: Request) -> bool:
    """From loopback and not on somebody else's behalf: a reverse proxy stands on loopback, too."""
    if any(name in request.headers for name in _FORWARDED):
        return False
    try:
        return ipaddress.ip_address(address(request.scope)).is_loopback
    except ValueError:
        return False
