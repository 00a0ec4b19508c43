"""One request on its way through the gateway: what every layer needs to know of it."""

from __future__ import annotations

from starlette.types import Message, Scope, Send

from bus.gateway import problems
from bus.ops import tracing


class Exchange:
    """One request on its way through the gateway; `scope["exchange"]` for those inside."""

    __slots__ = (
        "_extra",
        "_send",
        "client",
        "code",
        "headers",
        "parent",
        "route",
        "size",
        "status",
        "trace",
    )

    def __init__(self, scope: Scope, send: Send, *, last: bool = False) -> None:
        """`last`: the connection ends with this answer."""
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        told = self.headers.get(b"traceparent", b"").decode("latin-1")
        self.trace = tracing.follow(told)
        self.parent = told if told[:36] == self.trace[:36] else ""  # the caller's span, if any
        self.client = ""  # who it is, once known
        self.code = ""  # stable code of the error, if any
        self.route = ""  # template of the route
        self.status = 0
        self.size = 0  # bytes of the request's body, where the route counts them
        self._send = send
        self._extra = [
            (b"traceparent", self.trace.encode()),
            (b"x-correlation-id", self.correlation_id.encode()),
        ]
        if last:
            self._extra.append((b"connection", b"close"))

    @property
    def correlation_id(self) -> str:
        return tracing.trace_id(self.trace)

    @property
    def language(self) -> problems.Language:
        accepted = self.headers.get(b"accept-language")
        return problems.language(accepted.decode("latin-1")) if accepted else "vi"

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message.get("headers", ()), *self._extra]
        await self._send(message)
