"""The composition root: which parts a process runs, started in order and stopped in reverse."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any, Literal

import aiohttp
import structlog
import uvicorn
import uvloop

from adapters import registry
from adapters.http import open_session
from bus import broker as brokers
from bus.broker import Broker
from bus.console.settings import ConsoleSettings, Limits, Provider, Secrets
from bus.engine import events
from bus.engine.accept import Acceptor
from bus.engine.arrivals import ArrivalReporter
from bus.engine.collect import Collector
from bus.engine.directories import Directories
from bus.engine.dispatch import Dispatcher
from bus.engine.endpoint_states import EndpointStates
from bus.engine.janitor import Janitor
from bus.engine.live import LiveConfig
from bus.engine.membership import Membership
from bus.engine.outlive import outliving
from bus.engine.reconcile_daily import Reconciler
from bus.engine.worker import Worker
from bus.gateway.app import create_app, create_probes_app
from bus.gateway.calling import Partners
from bus.gateway.inquirer import Inquirer
from bus.gateway.limits import GatewayLimits
from bus.gateway.national import operations_of
from bus.gateway.probes import Probed
from bus.gateway.services import GatewayDeps
from bus.ledger.ledger import Ledger
from bus.ledger.migrate import migrate
from bus.ledger.partner_sessions import SECRET as PARTNER_SESSIONS
from bus.ops import logging as bus_logging
from bus.ops.alerts import channels
from bus.ops.alerts.away import LedgerAway
from bus.ops.alerts.ledger_watch import LedgerWatch
from bus.ops.alerts.watch import Alerts, Surroundings
from bus.ops.gauges import LedgerGauges
from bus.ops.health import Examiner
from bus.ops.metrics import Metrics
from bus.ops.otlp import OtlpSpans
from bus.ops.totals import TotalsReporter
from bus.settings import Settings
from schemas.adapter import Adapter
from schemas.errors import BrokerUnavailable, ConfigurationError, LedgerUnavailable
from schemas.province import Endpoint
from schemas.sessions import Sessions, unshared

log = structlog.get_logger(__name__)

ROLES = frozenset({"gateway", "dispatcher", "worker"})
CONSOLE_PORT = 8090  # of `lgsp console`, when the settings name none
KEEP_ALIVE_SECONDS = 75
"""A connection is kept without a request: longer than callers and proxies keep theirs, so that they
end it. Whoever sends on a connection in the moment in which it is ended gets no answer."""
MAX_FRAME = 1_000_000  # bytes of one WebSocket message from a browser


def run(settings: Settings, roles: frozenset[str] = ROLES) -> None:
    """Run these roles until SIGTERM or SIGINT; returns after a clean end."""
    bus_logging.configure(level=settings.log_level, style=settings.log_format)
    uvloop.run(_serve(settings, roles))


async def _serve(settings: Settings, roles: frozenset[str]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with running(settings, roles) as address:
        log.info("bus.started", roles=sorted(roles), address=address)
        await stop.wait()
        log.info("bus.stopping")
    log.info("bus.stopped")


@asynccontextmanager
async def running(settings: Settings, roles: frozenset[str]) -> AsyncIterator[str | None]:
    """The parts of a process while inside; yields the address it listens on, if it does."""
    metrics = Metrics()
    async with AsyncExitStack() as stack:
        ledger = await Ledger.open(
            settings.database_url,
            settings.blob_dir,
            committed=lambda size, seconds: metrics.batch("ledger", size, seconds),
        )
        stack.push_async_callback(ledger.close)
        if settings.otlp_endpoint is not None:
            spans = metrics.spans = OtlpSpans(settings.otlp_endpoint, process=ledger.process)
            stack.push_async_callback(spans.close)
        told = _channels(stack, settings)
        _watch_ledger(stack, settings, ledger, told)
        await _migrate(settings)
        live = LiveConfig(ledger.config)
        await live.start()
        stack.push_async_callback(live.close)
        membership = Membership(ledger, roles)
        membership.start()
        stack.push_async_callback(membership.close)
        broker = _broker(settings, roles)
        await broker.start()
        stack.push_async_callback(broker.close)
        ledger.journalled = lambda entries: broker.emit(events.of_entries(entries))
        acceptor = _acceptor(settings, ledger, live, metrics)
        if roles & {"dispatcher", "worker"}:
            await _engine(stack, settings, roles, acceptor, membership, broker, metrics)
        gauges = _measure(stack, ledger, metrics)
        _watch(
            stack,
            settings,
            ledger,
            told,
            Surroundings(
                live=live,
                membership=membership,
                gauges=gauges,
                metrics=metrics,
                broker_up=lambda: broker.connected,
                pull_kinds=_pull_kinds(),
                disks=_disks(settings),
                secrets_dir=settings.secrets_dir,
            ),
        )
        probed = _probed(settings, ledger, broker, metrics)
        address = None
        if "gateway" in roles:
            address = await _gateway(stack, settings, acceptor, probed)
        if "console" in roles:
            at = await _console(stack, settings, acceptor, membership, broker)
            log.info("console.started", address=at)
            address = address or at
        if "gateway" not in roles and settings.ops_port is not None:
            app = create_probes_app(probed)
            address = await _listen(stack, settings, app, (settings.ops_host, settings.ops_port))
        _settle_heap()
        yield address


def _broker(settings: Settings, roles: frozenset[str]) -> Broker:
    url = settings.broker_url.get_secret_value() if settings.broker_url else None
    embedded = url is None or url.startswith("embedded:")
    if embedded and roles & {"dispatcher", "worker"} and not roles >= {"dispatcher", "worker"}:
        raise ConfigurationError(
            "the embedded broker works only inside one process: run `lgsp serve`, or set "
            "LGSP_BROKER_URL to a RabbitMQ for separate dispatchers and workers",
            vi="broker nhúng chỉ chạy trong một tiến trình: dùng `lgsp serve`, hoặc đặt "
            "LGSP_BROKER_URL tới RabbitMQ khi tách dispatcher và worker",
        )
    return brokers.create(url, prefix=settings.broker_prefix)


async def _migrate(settings: Settings) -> None:
    """Waits for a database that is not there yet; whoever comes first does the work."""
    told = False
    while True:
        try:
            await migrate(settings.database_url)
        except LedgerUnavailable as error:
            if not told:
                log.warning("bus.waiting_for_ledger", error=str(error))
                told = True
            await asyncio.sleep(1.0)
        else:
            return


def _acceptor(settings: Settings, ledger: Ledger, live: LiveConfig, metrics: Metrics) -> Acceptor:
    return Acceptor(
        ledger,
        live,
        {kind: adapter.manifest for kind, adapter in registry.adapters().items()},
        max_bytes=settings.max_packet_bytes,
        max_files=settings.max_files,
        inline_bytes=settings.inline_bytes,
        observer=metrics,
    )


async def _engine(
    stack: AsyncExitStack,
    settings: Settings,
    roles: frozenset[str],
    acceptor: Acceptor,
    membership: Membership,
    broker: Broker,
    metrics: Metrics,
) -> None:
    ledger, live = acceptor.ledger, acceptor.live
    sessions = partner_sessions(settings, ledger)
    states = EndpointStates(ledger, live)
    await states.start()
    stack.push_async_callback(states.close)
    pull_kinds = _pull_kinds()
    if "worker" in roles:
        http = open_session()
        stack.push_async_callback(http.close)
        worker = Worker(
            ledger,
            broker,
            live,
            states,
            membership,
            create=adapter_maker(settings, http, sessions),
            pull_kinds=pull_kinds,
            observer=metrics,
            drain_seconds=settings.drain_seconds,
        )
        await worker.start()
        stack.push_async_callback(worker.close)
        collector = Collector(
            ledger,
            live,
            states,
            membership,
            acceptor,
            create=adapter_maker(settings, http, sessions),
        )
        await collector.start()
        stack.push_async_callback(collector.close)
        directories = Directories(
            ledger, live, states, membership, create=adapter_maker(settings, http, sessions)
        )
        directories.start()
        stack.push_async_callback(directories.close)
        reconciler = Reconciler(
            ledger,
            live,
            states,
            membership,
            create=adapter_maker(settings, http, sessions),
            manifests=acceptor.manifests,
            folder=settings.reconciliation_dir,
        )
        reconciler.start()
        stack.push_async_callback(reconciler.close)
    if "dispatcher" in roles:
        arrivals = ArrivalReporter(acceptor)
        arrivals.start()
        stack.push_async_callback(arrivals.close)
        totals = TotalsReporter(acceptor)
        totals.start()
        stack.push_async_callback(totals.close)
        janitor = Janitor(ledger, live, pull_kinds=pull_kinds)
        janitor.start()
        stack.push_async_callback(janitor.close)
        dispatcher = Dispatcher(
            ledger,
            broker,
            live,
            states,
            membership,
            pull_kinds=pull_kinds,
            observer=metrics,
        )
        await dispatcher.start()
        stack.push_async_callback(dispatcher.close)


def adapter_maker(
    settings: Settings, http: aiohttp.ClientSession, sessions: Sessions = unshared
) -> Callable[[Endpoint], Adapter]:
    """Makes the adapter of an endpoint, with the secrets of these settings."""
    secret = secret_finder(settings)

    def create(endpoint: Endpoint) -> Adapter:
        return registry.create(
            endpoint.kind, endpoint.config, http=http, secrets=secret, sessions=sessions
        )

    return create


def partner_sessions(settings: Settings, ledger: Ledger) -> Sessions:
    """Shared by processes that have the secret for it; without it each logs in for itself."""
    secret = _optional(settings, PARTNER_SESSIONS)
    return unshared if secret is None else ledger.partner_sessions(secret)


def secret_finder(settings: Settings) -> Callable[[str], bytes]:
    """As adapters want it: LookupError when there is none of that name."""

    def secret(name: str) -> bytes:
        try:
            return settings.secret(name)
        except ConfigurationError as error:
            raise LookupError(name) from error

    return secret


def _probed(settings: Settings, ledger: Ledger, broker: Broker, metrics: Metrics) -> Probed:
    async def broker_answers() -> None:
        if not broker.connected:
            raise BrokerUnavailable

    token = settings.metrics_token
    return Probed(
        metrics,
        Examiner({"ledger": ledger.queries.ping}, {"broker": broker_answers}),
        metrics_token=token.get_secret_value() if token else None,
    )


async def _gateway(
    stack: AsyncExitStack,
    settings: Settings,
    acceptor: Acceptor,
    probed: Probed,
) -> str:
    http = open_session()
    stack.push_async_callback(http.close)
    sessions = partner_sessions(settings, acceptor.ledger)
    inquirer = Inquirer(acceptor, adapter_maker(settings, http, sessions))
    stack.push_async_callback(inquirer.close)
    deps = GatewayDeps(
        ledger=acceptor.ledger,
        acceptor=acceptor,
        live=acceptor.live,
        probed=probed,
        inquirer=inquirer,
        partners=Partners(http, settings.secret, sessions),
        limits=GatewayLimits(
            max_packet=settings.max_packet_bytes,
            max_files=settings.max_files,
            max_in_flight=settings.max_in_flight,
            max_accepting=settings.max_accepting,
            max_streams=settings.max_streams,
            token_lifetime=settings.token_lifetime,
            public_url=settings.public_url,
            file_days=settings.file_days,
            job_days=settings.service_job_days,
        ),
        secrets=settings.secret,
        facades={path: registry.facade(name) for name, path in settings.facades.items()},
    )
    place = (settings.http_host, settings.http_port)
    app = create_app(deps)
    url = await _listen(stack, settings, app, place)
    for runner in (app.state.services.jobs, app.state.services.feeds):
        runner.start()
        stack.push_async_callback(runner.close)
    stack.push_async_callback(app.state.services.feed.close)  # streams would outlast the drain
    stack.push_async_callback(_leave, probed, settings.leave_seconds)
    return url


async def _console(
    stack: AsyncExitStack,
    settings: Settings,
    acceptor: Acceptor,
    membership: Membership,
    broker: Broker,
) -> str:
    # late: a process without the console does without its libraries
    from bus.console.app import create  # noqa: PLC0415

    http = open_session()
    stack.push_async_callback(http.close)
    door = create(
        acceptor.ledger,
        acceptor.live,
        _console_settings(settings),
        http,
        membership=membership,
        broker=broker,
        acceptor=acceptor,
    )
    place = (settings.console_host, CONSOLE_PORT if (p := settings.console_port) is None else p)
    return await _listen(
        stack, settings, door, place, lifespan="on", ws="websockets-sansio", log_level="warning"
    )


def _console_settings(settings: Settings) -> ConsoleSettings:
    provider = None
    if settings.oidc_issuer is not None:
        provider = Provider(settings.oidc_issuer, settings.oidc_client_id, settings.oidc_claim)
    return ConsoleSettings(
        settings.console_url,
        Limits(settings.console_idle_minutes * 60, settings.console_session_hours * 3600),
        Secrets(
            totp=_optional(settings, "console-totp"),
            totp_previous=_optional(settings, "console-totp-previous"),
            oidc=_optional(settings, "oidc-client"),
        ),
        settings.secret,
        settings.secrets_dir,
        settings.alerts,
        operations_of,
        provider,
    )


def _optional(settings: Settings, secret: str) -> bytes | None:
    try:
        return settings.secret(secret)
    except ConfigurationError:
        return None


async def _listen(
    stack: AsyncExitStack,
    settings: Settings,
    app: Any,
    place: tuple[str, int],
    *,
    lifespan: Literal["on", "off"] = "off",
    **options: Any,
) -> str:
    """Serve HTTP in this event loop; signals stay ours."""
    listener = socket.create_server(place, backlog=2048)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        http="httptools",
        lifespan=lifespan,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        **{"ws": "none"} | options,
        timeout_graceful_shutdown=int(settings.drain_seconds),
    )
    server = uvicorn.Server(config)
    server.capture_signals = _no_signals  # type: ignore[method-assign]
    task = asyncio.create_task(server.serve(sockets=[listener]), name="http")

    async def close() -> None:
        server.should_exit = True
        await task
        listener.close()

    stack.push_async_callback(close)
    host, port = listener.getsockname()[:2]
    return f"http://{host}:{port}"


async def _leave(probed: Probed, seconds: float) -> None:
    """Nothing is refused meanwhile: balancers notice by /readyz, callers by their connections."""
    probed.leaving.set()
    await asyncio.sleep(seconds)


def _no_signals() -> Any:
    """Uvicorn would otherwise take SIGTERM for itself."""
    return nullcontext()


def _pull_kinds() -> set[str]:
    return {k for k, a in registry.adapters().items() if a.manifest.mode == "pull"}


def _disks(settings: Settings) -> list[Path]:
    """Folders whose disks must not fill up: originals, the ledger when it is a file, and what the
    settings name.
    """
    folders = [settings.data_dir, *settings.alerts.thresholds.disks]
    dialect, _, path = settings.database_url.partition(":///")
    if dialect.startswith("sqlite") and Path(path).parent != settings.data_dir:
        folders.append(Path(path).parent)
    return folders


def _channels(stack: AsyncExitStack, settings: Settings) -> list[channels.Channel]:
    http = open_session()
    stack.push_async_callback(http.close)
    return channels.create(settings.alerts, http, secret_finder(settings))


def _watch_ledger(
    stack: AsyncExitStack, settings: Settings, ledger: Ledger, told: Sequence[channels.Channel]
) -> None:
    """Before it is needed: a process that waits for it at its start has to be able to tell."""
    away = LedgerAway(
        told,
        ledger.clock,
        settings.alerts.thresholds.ledger_seconds,
        folder=settings.data_dir,
        host=socket.gethostname(),
    )
    watch = LedgerWatch(ledger, away, every=settings.alerts.every)
    watch.start()
    stack.push_async_callback(watch.close)


def _watch(
    stack: AsyncExitStack,
    settings: Settings,
    ledger: Ledger,
    told: Sequence[channels.Channel],
    around: Surroundings,
) -> None:
    alerts = Alerts(ledger, around, settings.alerts, told)
    alerts.start()
    stack.push_async_callback(alerts.close)


def _measure(stack: AsyncExitStack, ledger: Ledger, metrics: Metrics) -> LedgerGauges:
    gauges = LedgerGauges(ledger.queries, metrics)
    task = outliving(gauges.follow, name="metrics")

    async def close() -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    stack.push_async_callback(close)
    return gauges


def _settle_heap() -> None:
    """What was made until now lives as long as the process: the collector need not walk it."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 50)
