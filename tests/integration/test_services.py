"""The private services themselves: they come, go, freeze, stay apart, and leave nothing behind."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import aio_pika
import asyncpg
import pytest

from deploy.services import PostgreSQL, RabbitMQ, Service, ServiceError
from deploy.services.process import Process
from tests.waiting import wait_until_sync

SERVICES = [
    pytest.param(RabbitMQ, marks=pytest.mark.rabbitmq),
    pytest.param(PostgreSQL, marks=pytest.mark.postgres),
]


async def rabbitmq_answers(url: str) -> None:
    connection = await aio_pika.connect(url, timeout=5)
    async with connection:
        channel = await connection.channel()
        await channel.declare_queue(exclusive=True)


async def postgres_answers(url: str) -> None:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""), timeout=5)
    assert await connection.fetchval("select 1") == 1
    await connection.close()


async def answers(service: Service) -> None:
    ask = rabbitmq_answers if isinstance(service, RabbitMQ) else postgres_answers
    await asyncio.wait_for(ask(service.url), 10)


def family(service: Service) -> list[Process]:
    """Every process of the service, by its pid files."""
    pids = [int(file.read_text().split()[0]) for file in service.folder.glob("*.pid")]
    roots = [process for pid in pids if (process := Process.of(pid))]
    return [member for root in roots for member in root.family()]


def assert_all_gone(processes: list[Process]) -> None:
    def left() -> list[Process]:
        return [process for process in processes if process.alive()]

    wait_until_sync(lambda: not left(), what=lambda: f"end of processes {left()}")


@pytest.fixture(params=SERVICES)
def shared(request: pytest.FixtureRequest) -> Service:
    """The session's own service, running."""
    kind: type[Service] = request.param
    service: Service = request.getfixturevalue("rabbitmq" if kind is RabbitMQ else "postgres")
    service.start()
    return service


@pytest.fixture
def other(shared: Service) -> Iterator[Service]:
    """A second service of the same kind in a folder whose name has a space, not started."""
    service = type(shared)(shared.folder.with_name(f"{shared.folder.name} other"))
    yield service
    service.stop()


async def test_restart_keeps_the_address(shared: Service) -> None:
    url, before = shared.url, family(shared)
    shared.restart()
    assert_all_gone(before)
    assert shared.url == url
    await answers(shared)


async def test_survives_kill(shared: Service) -> None:
    url, before = shared.url, family(shared)
    shared.kill()
    assert_all_gone(before)
    assert not shared.running()
    shared.start()
    assert shared.url == url
    await answers(shared)


async def test_paused_is_silent_and_resumes(shared: Service) -> None:
    shared.pause()
    try:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await answers(shared)
    finally:
        shared.resume()
    await answers(shared)


def test_start_twice_keeps_the_process(shared: Service) -> None:
    before = family(shared)
    shared.start()
    assert set(before) <= set(family(shared))


async def test_two_side_by_side_with_the_usual_port_taken(shared: Service, other: Service) -> None:
    usual = 5672 if isinstance(shared, RabbitMQ) else 5432
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", usual))
            listener.listen()
        except OSError:
            socket.create_connection(("127.0.0.1", usual)).close()  # taken already
        other.start()
        await answers(other)
        await answers(shared)
        started = family(other)
        assert not set(started) & set(family(shared))
        other.stop()
        assert_all_gone(started)
        await answers(shared)


def test_ends_with_a_killed_starter(shared: Service, other: Service) -> None:
    """`kill -9` of whoever started it leaves no orphan, and the folder can be used again."""
    script = (
        "import sys; from pathlib import Path; from deploy import services as s\n"
        f"s.{type(shared).__name__}(Path(sys.argv[1])).start()\n"
        "print('started', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, other.folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as starter:
        assert starter.stdout is not None
        assert starter.stdout.readline() == b"started\n"
        orphans = family(other)
        assert orphans
        starter.send_signal(signal.SIGKILL)
    assert_all_gone(orphans)
    other.start()
    assert other.running()


@pytest.mark.postgres
def test_command_line(postgres: PostgreSQL) -> None:
    """Started by the command it outlives the command; another process stops it."""
    service = PostgreSQL(postgres.folder.with_name("by command"))
    command = [sys.executable, "-m", "deploy.services", "postgres"]
    try:
        started = subprocess.run(
            [*command, "start", service.folder], check=True, capture_output=True, text=True
        )
        assert started.stdout.strip() == service.url
        processes = family(service)
        assert service.running()
        subprocess.run([*command, "stop", service.folder], check=True)
        assert_all_gone(processes)
    finally:
        service.stop()


@pytest.mark.postgres
def test_a_frozen_leftover_is_taken_over(postgres: PostgreSQL) -> None:
    """What an earlier run left paused serves again when the folder is started."""
    postgres.pause()
    later = PostgreSQL(postgres.folder)
    later.start()
    assert family(later) == family(postgres)
    later.drop_database("never_there")


@pytest.mark.rabbitmq
async def test_rabbitmq_application_stops_and_starts(rabbitmq: RabbitMQ) -> None:
    rabbitmq.start()
    rabbitmq.stop_app()
    try:
        with pytest.raises(OSError, match="Connect"):
            await answers(rabbitmq)
    finally:
        rabbitmq.start_app()
    await answers(rabbitmq)
    assert "guest" in rabbitmq.ctl("list_users")


@pytest.mark.postgres
async def test_postgres_databases_come_and_go(postgres: PostgreSQL) -> None:
    url = postgres.create_database("coming")
    await postgres_answers(url)
    postgres.drop_database("coming")
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await postgres_answers(url)


@pytest.mark.postgres
async def test_postgres_is_durable_and_wants_the_password(postgres_url: str) -> None:
    plain = postgres_url.replace("+asyncpg", "")
    connection = await asyncpg.connect(plain)
    assert await connection.fetchval("show fsync") == "on"
    assert await connection.fetchval("show synchronous_commit") == "on"
    await connection.close()
    user, _, rest = plain.partition("://")[2].partition(":")
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(f"postgresql://{user}:guess@{rest.partition('@')[2]}")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as somebody else")
@pytest.mark.postgres
def test_root_is_told_of_a_folder_postgres_cannot_enter(tmp_path: Path) -> None:
    if not PostgreSQL.installed():
        pytest.skip("PostgreSQL is not installed on this machine")
    tmp_path.chmod(0o700)
    with pytest.raises(ServiceError, match="cannot enter"):
        PostgreSQL(tmp_path / "postgres").start()
