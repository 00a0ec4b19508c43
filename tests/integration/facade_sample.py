"""A façade as an adapter would write it: knows the door port and nothing else of the bus."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from schemas.door import Door, Doors, Refusal
from schemas.errors import Unauthenticated


def signature(secret: bytes, system_id: str) -> str:
    return hmac.new(secret, system_id.encode(), hashlib.sha256).hexdigest()


class SampleFacade:
    """Signed calls, one call by token, one public; errors as `{"error": code}` under 200."""

    name = "sample"
    public = frozenset({"/ping"})

    def routes(self, doors: Doors) -> Sequence[BaseRoute]:
        def signed(request: Request) -> Door:
            system_id = request.headers.get("system-id", "")
            system = doors.signed(request.scope, system_id)
            offered = request.headers.get("signature", "")
            for secret in system.secrets:
                if hmac.compare_digest(signature(secret, system_id), offered):
                    return system.enter()
            raise Unauthenticated("wrong signature", vi="Chữ ký sai")

        async def send(request: Request) -> Response:
            accepted = await signed(request).send(request.stream(), ref=request.headers.get("ref"))
            return JSONResponse({"id": accepted.message_id, "again": accepted.duplicate})

        async def counts(request: Request) -> Response:
            door = signed(request)
            kinds = ("document", "status")
            return JSONResponse({kind: await door.count_waiting(kind=kind) for kind in kinds})

        async def sent(request: Request) -> Response:
            door = await doors.bearer(request.scope)
            rows = await door.sent(limit=2, after=int(request.query_params.get("after", 2**62)))
            return JSONResponse([[r.delivery_id, r.document_code, r.state] for r in rows])

        async def ping(_request: Request) -> Response:
            return JSONResponse({})

        return [
            Route("/send", send, methods=["POST"]),
            Route("/counts", counts),
            Route("/sent", sent),
            Route("/ping", ping),
        ]

    def refuse(self, refusal: Refusal) -> Response:
        return JSONResponse({"error": refusal.error.code, "trace": refusal.correlation_id})
