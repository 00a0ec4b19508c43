"""The gateway as an ASGI application."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from bus.gateway import (
    agencies,
    dossier_events,
    dossier_files,
    dossiers,
    exchanges,
    flows,
    inquiries,
    mailbox,
    messages,
    openapi,
    probes,
    problems,
    soap,
    statuses,
    token,
)
from bus.gateway.calling import Calls, Catalogue, Rights
from bus.gateway.calling import doors as service_doors
from bus.gateway.calling.describe import Descriptions
from bus.gateway.desk import TokenDesk
from bus.gateway.door import BusDoors
from bus.gateway.dossier_totals import LiveTotals
from bus.gateway.edge import Edge
from bus.gateway.feed import Feed
from bus.gateway.gate import Gate
from bus.gateway.hot_routes import Direct
from bus.gateway.limits import GatewayLimits
from bus.gateway.probes import Probed
from bus.gateway.providing import doors as providing_doors
from bus.gateway.providing import job_doors
from bus.gateway.providing.feeds import FeedRunner
from bus.gateway.providing.jobs import Desk, JobRunner
from bus.gateway.receive import PATH, ReceiveDocument
from bus.gateway.services import GatewayDeps, Services

PUBLIC = frozenset(
    {
        "/api/v1/token",
        "/healthz",
        "/readyz",
        "/openapi.json",
        "/docs",
        "/problems/{code}",
        dossier_files.PATH,
        f"GET {soap.PATH}",
        f"HEAD {soap.PATH}",
        *service_doors.PUBLIC,
    }
)
"""Routes, or one method of a route, that answer anybody.

/metrics has a rule of its own (probes.read_metrics).
"""


def create_app(deps: GatewayDeps) -> FastAPI:
    """Everything under one roof; the routes keep what they need in `app.state.services`."""
    gate = Gate(deps.ledger.identities, deps.live)
    doors = BusDoors(gate, deps.acceptor, deps.secrets, deps.limits)
    token_desk = TokenDesk(gate, deps.ledger.identities, lifetime=deps.limits.token_lifetime)
    receive = ReceiveDocument(doors, deps.limits)
    documents = soap.SoapDocuments(doors, deps.limits)
    catalogue = Catalogue(deps.live, deps.ledger.contracts)
    rights = Rights()
    calls = Calls(deps.ledger, deps.partners, deps.secrets, deps.probed.metrics)
    asked = (doors, deps.live, catalogue, rights, calls, deps.limits)
    hot: Direct = {
        ("POST", PATH): receive,
        ("POST", soap.PATH): documents,
        ("POST", service_doors.SERVICE): service_doors.SoapServices(*asked),
        ("POST", service_doors.OPERATION): service_doors.JsonServices(*asked),
    }

    desk = Desk(deps.ledger, deps.live, gate, catalogue, rights, calls)
    edge = Edge(
        metrics=deps.probed.metrics,
        limits=deps.limits,
        direct=hot,
        doors={path: facade.refuse for path, facade in deps.facades.items()}
        | {"/soap": soap.refuse, service_doors.ROOT: service_doors.refuse},
        large=_is_large,
        access_log=deps.access_log,
        leaving=deps.probed.leaving.is_set,
    )
    app = _Gateway(edge)
    app.state.services = Services(
        deps,
        gate,
        doors,
        token_desk,
        Feed(deps.ledger, max_streams=deps.limits.max_streams),
        LiveTotals(deps.ledger, deps.live),
        catalogue,
        rights,
        calls,
        JobRunner(desk, keep=deps.limits.job_days * job_doors.DAY),
        FeedRunner(desk, deps.acceptor),
    )
    app.state.descriptions = Descriptions()
    app.state.probed = deps.probed
    for (method, path), direct in hot.items():  # for the methods that they do not have
        route = Route(path, direct, methods=[method], include_in_schema=False)
        app.router.routes.append(route)
    app.router.routes.append(Route(soap.PATH, soap.read_wsdl, methods=["GET"]))
    for module in (
        token,
        statuses,
        dossier_events,  # before the dossiers, one of which might be called "events"
        dossiers,
        dossier_files,
        flows,
        inquiries,
        mailbox,
        messages,
        exchanges,
        agencies,
        probes,
        openapi,
        service_doors,
        providing_doors,
        job_doors,
    ):
        app.include_router(module.router)
    for path, facade in deps.facades.items():
        app.router.routes.append(Mount(path, routes=list(facade.routes(doors)), name=facade.name))
    return app


def _is_large(path: str) -> bool:
    return path == dossiers.BATCH_PATH or dossier_files.UPLOAD.fullmatch(path) is not None


def create_probes_app(probed: Probed) -> FastAPI:
    """For a process that has no gateway: it shows how it is, and nothing else."""
    app = _Gateway(Edge(metrics=probed.metrics, limits=GatewayLimits(), direct={}, doors={}))
    app.state.probed = probed
    app.include_router(probes.router)
    return app


class _Gateway(FastAPI):
    def __init__(self, edge: Edge) -> None:
        super().__init__(
            openapi_url=None,
            docs_url=None,  # the framework's pages load scripts from elsewhere: see openapi.py
            redoc_url=None,
            redirect_slashes=False,
            telemetry={"tracing": False, "metrics": False, "logs": False},  # the edge does this
        )
        self._edge = edge
        self.add_exception_handler(HTTPException, _hand_up)
        self.add_exception_handler(RequestValidationError, _hand_up)
        self.add_middleware(edge.around)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._edge.is_direct(scope):
            scope["app"] = self  # Starlette's form parser looks for it
            await self._edge(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)

    def openapi(self) -> dict[str, Any]:
        return openapi.document(self)


async def _hand_up(_request: Request, error: Exception) -> Any:
    """To the edge, which turns every error into a problem, in one place."""
    raise problems.understand(error) or error
