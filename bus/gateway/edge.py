"""The outermost layer of every request: trace, load limit, problems, access log, metrics.

One pure ASGI middleware, because a chain of five costs more than the work (and BaseHTTPMiddleware
loses context variables).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import structlog
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from bus.engine.spans import Span, Spans
from bus.gateway import body, problems
from bus.gateway.exchange import Exchange
from bus.gateway.gate import address
from bus.gateway.hot_routes import Direct, HotRoutes
from bus.gateway.limits import GatewayLimits
from bus.gateway.places import PAUSE
from bus.ops import tracing
from bus.ops.logging import access_line
from bus.ops.rates import Buckets
from schemas.door import Refusal
from schemas.errors import RateLimited, Unavailable

log = structlog.get_logger("gateway")

Refuse = Callable[[Refusal], Response]
"""An error as the door's own protocol tells it."""

GONE = 499  # the caller hung up before its answer
REFUSALS_RATE = 20.0  # refusals a second that one client, or one unknown address, gets at once …
REFUSALS_BURST = 100  # … and so many in a row; beyond, each of its connections gets one a second
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_EXEMPT = frozenset({"/healthz", "/readyz", "/metrics"})  # must answer under load, too


class RequestMetrics(Protocol):
    """What the edge reports (bus.ops.metrics.Metrics)."""

    @property
    def spans(self) -> Spans | None: ...

    def request_started(self) -> None: ...
    def request_finished(self, method: str, route: str, status: int, seconds: float) -> None: ...
    def refused(self, code: str) -> None: ...


class Edge:
    """Middleware. Hot routes bound their bodies themselves, all others are bounded here."""

    def __init__(
        self,
        *,
        metrics: RequestMetrics,
        limits: GatewayLimits,
        direct: Direct,
        doors: Mapping[str, Refuse],
        large: Callable[[str], bool] = lambda _path: False,
        access_log: bool = True,
        leaving: Callable[[], bool] = lambda: False,
    ) -> None:
        """`doors`: how doors other than REST answer errors, by the path each stands under.
        `large`: whether a path of REST takes bodies as large as a packet.
        `leaving`: whether the process ends soon; each answer then ends its connection (RFC 9112
        §9.6), so that none is cut in the middle of a request.
        """
        self._large = large
        self._app: ASGIApp | None = None
        self._metrics = metrics
        self._limits = limits
        self._direct = HotRoutes(direct)
        self._doors = doors
        self._access_log = access_log
        self._leaving = leaving
        self._in_flight = 0
        self._paced = 0
        self._refusals = Buckets()

    def around(self, app: ASGIApp) -> Edge:
        """This edge as the middleware of `app`."""
        self._app = app
        return self

    def is_direct(self, scope: Scope) -> bool:
        """A hot route, which needs nothing of the framework: none of its layers is called."""
        return scope["type"] == "http" and self._direct.find(scope) is not None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            assert self._app is not None, "around() comes first"  # noqa: S101
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        exchange = scope["exchange"] = Exchange(scope, send, last=self._leaving())
        token = tracing.current.set(exchange.trace)
        self._in_flight += 1
        self._metrics.request_started()
        try:
            await self._answer(scope, receive, exchange)
        finally:
            self._in_flight -= 1
            tracing.current.reset(token)
            self._account(scope, exchange, time.perf_counter() - started)

    async def _answer(self, scope: Scope, receive: Receive, exchange: Exchange) -> None:
        path = scope["path"]
        try:
            if self._in_flight > self._limits.max_in_flight and path not in _EXEMPT:
                raise Unavailable(  # noqa: TRY301 - one place turns errors into answers
                    "too many requests at once", vi="Quá nhiều yêu cầu cùng lúc", retry_after=1
                )
            hot = self._direct.find(scope)
            if hot is not None:
                exchange.route = hot.template
                scope["path_params"] = hot.parameters
                await hot.app(scope, receive, exchange.send)
            else:
                limits = self._limits
                small = self._door(path) is None and not self._large(path)
                limit = limits.max_json if small else limits.max_packet
                receive = body.bounded(receive, exchange, limit=limit, idle=limits.body_idle)
                assert self._app is not None, "around() comes first"  # noqa: S101
                await self._app(scope, receive, exchange.send)
        except ClientDisconnect:
            exchange.status = exchange.status or GONE
        except Exception as error:  # noqa: BLE001 - the last line of defence of the process
            await self._refuse(error, scope, receive, exchange)

    def _door(self, path: str) -> Refuse | None:
        """Whose path it is: the first segment decides."""
        return self._doors.get("/" + path.removeprefix("/").partition("/")[0])

    async def _refuse(
        self, error: Exception, scope: Scope, receive: Receive, exchange: Exchange
    ) -> None:
        """Answers in the protocol of the door, or cuts the answer short when it has begun."""
        path = scope["path"]
        understood = problems.understand(error)
        if understood is None:
            log.error("request failed", path=path, exc_info=error)
            understood = problems.StatusError(problems.InternalError(), 500)
        exchange.code = understood.error.code
        self._metrics.refused(exchange.code)
        if exchange.status:
            raise error
        if isinstance(understood.error, RateLimited | Unavailable):
            await self._pace(exchange.client or address(scope))
        refuse = self._door(path)
        if refuse is not None:
            refusal = Refusal(
                understood.error, understood.status_code, scope, exchange.correlation_id
            )
            answer = refuse(refusal)
            answer.raw_headers += understood.extra
            await answer(scope, receive, exchange.send)
            return
        await problems.respond(
            exchange.send,
            understood.error,
            status=understood.status_code,
            extra=understood.extra,
            path=path,
            correlation_id=exchange.correlation_id,
            lang=exchange.language,
        )

    async def _pace(self, caller: str) -> None:
        """Whoever asks again and again without waiting as told waits here: nothing of the request
        is read meanwhile, and answering him at once would cost what others need.
        """
        wait = self._refusals.take(caller, rate=REFUSALS_RATE, burst=REFUSALS_BURST)
        if not wait or self._paced >= self._limits.max_paced:
            return
        self._paced += 1
        self._in_flight -= 1
        try:
            await asyncio.sleep(PAUSE)
        finally:
            self._paced -= 1
            self._in_flight += 1

    def _account(self, scope: Scope, exchange: Exchange, seconds: float) -> None:
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        route = exchange.route or _route_of(scope)
        self._metrics.request_finished(method, route, exchange.status, seconds)
        if self._metrics.spans is not None and scope["path"] not in _EXEMPT:
            self._metrics.spans.record(_span(method, route, exchange, seconds))
        if self._access_log:
            access_line(_line(method, route, exchange, seconds))


def _route_of(scope: Scope) -> str:
    """Template of the route, below the path of the façade it belongs to."""
    route = scope.get("route")
    return "unmatched" if route is None else f"{scope.get('root_path', '')}{route.path}"


def _span(method: str, route: str, exchange: Exchange, seconds: float) -> Span:
    ended = time.time_ns()
    return Span(
        f"{method} {route}",
        "server",
        exchange.trace,
        exchange.parent,
        ended - int(seconds * 1e9),
        ended,
        failed=exchange.status >= 500,
        facts={
            "http.request.method": method,
            "http.route": route,
            "http.response.status_code": exchange.status,
            "lgsp.client": exchange.client,
        },
    )


def _line(method: str, route: str, exchange: Exchange, seconds: float) -> dict[str, Any]:
    """Template of the route and never the path or query: those may name people's documents."""
    line = {
        "method": method,
        "route": route,
        "status": exchange.status,
        "ms": round(seconds * 1000, 2),
        "client": exchange.client,
        "trace_id": exchange.correlation_id,
    }
    if exchange.size:
        line["bytes"] = exchange.size
    if exchange.code:
        line["code"] = exchange.code
    return line
