"""The console as an ASGI application. One per process: NiceGUI is one per process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import resources
from pathlib import Path

import aiohttp
from fastapi import FastAPI
from nicegui import ui
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Route
from starlette.staticfiles import StaticFiles

from adapters import registry
from bus.broker import Broker
from bus.console import frame, oidc, watch
from bus.console.authority import Authority
from bus.console.desk import Desk
from bus.console.door import Door, Nonced
from bus.console.downloads import Downloads
from bus.console.jobs import Jobs
from bus.console.login import LogIn
from bus.console.pages import PAGES
from bus.console.reports import Reports
from bus.console.settings import ConsoleSettings
from bus.console.shared import Shared
from bus.engine.accept import Acceptor
from bus.engine.live import LiveConfig
from bus.engine.membership import Membership
from bus.engine.outlive import outliving
from bus.ledger.ledger import Ledger
from bus.ops import attention
from bus.ops.pulse import Pulse

STATIC = Path(str(resources.files("bus.console"))) / "static"


def create(
    ledger: Ledger,
    live: LiveConfig,
    settings: ConsoleSettings,
    http: aiohttp.ClientSession,
    *,
    membership: Membership,
    broker: Broker,
    acceptor: Acceptor,
) -> Door:
    """The door, with everything behind it. Run it with the lifespan protocol on."""
    desk = Desk(ledger, settings.limits, settings.secrets)
    pulse = Pulse(ledger.queries, ledger.clock)
    console = frame.Console(
        ledger,
        live,
        desk,
        Authority(desk, live),
        pulse,
        Shared(),
        Downloads(ledger),
        Jobs(ledger),
        Reports(),
        polled=frozenset(k for k, a in registry.adapters().items() if hasattr(a, "poll")),
        running=lambda: {role: len(membership.having(role)) for role in attention.ROLES},
        broker_up=lambda: broker.connected,
        acceptor=acceptor,
        secret=settings.secret,
        secrets_dir=settings.secrets_dir,
        alerts=settings.alerts,
        operations=settings.operations,
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        followers = (
            outliving(lambda: watch.follow(desk), name="console-watch"),
            outliving(pulse.follow, name="pulse"),
        )
        try:
            yield
        finally:
            for follower in followers:
                follower.cancel()
            await console.jobs.close()

    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, lifespan=lifespan)
    door = Door(GZipMiddleware(Nonced(app), minimum_size=2000), desk, live, settings)
    door.owns_client = watch.owns
    provider = None
    if settings.provider is not None:
        provider = oidc.Client(settings.provider, settings.secrets.oidc, http)
    app.router.routes.extend(LogIn(desk, settings, door.cookie, provider).routes())
    app.router.routes.append(Route("/download/{ticket}", console.downloads.serve))
    app.router.routes.append(Route("/report/{name}", console.reports.serve))
    app.mount("/static", StaticFiles(directory=STATIC))
    frame.install(console, PAGES)
    ui.run_with(
        app,
        title="LGSP",
        favicon=STATIC / "mark.svg",
        language="vi",
        tailwind=False,
        gzip_middleware_factory=None,
        show_welcome_message=False,
        reconnect_timeout=15,
    )
    return door
