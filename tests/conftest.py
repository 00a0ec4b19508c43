"""Fixtures for every test: real services of our own, and the backends to run a body on.

A service starts at its first use, once per session, in a folder of its own. Where it is not
installed its tests are skipped on a laptop and fail in CI (CI or LGSP_REQUIRE_SERVICES=1).
"""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.services import Chromium, Php, PostgreSQL, RabbitMQ, Service


def _required() -> bool:
    return os.environ.get("LGSP_REQUIRE_SERVICES") == "1" or bool(os.environ.get("CI"))


def _started(service: Service) -> Iterator[Service]:
    if not service.installed() and not _required():
        pytest.skip(f"{service.name} is not installed on this machine")
    try:
        service.start()
        yield service
    finally:
        service.stop()


@pytest.fixture(scope="session")
def services_folder() -> Iterator[Path]:
    """A short path that user postgres may enter when root runs the tests (pytest's may not)."""
    folder = Path(tempfile.mkdtemp(prefix="lgsp-tests-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def rabbitmq(services_folder: Path) -> Iterator[RabbitMQ]:
    """The session's broker process. A test that stops or pauses it starts or resumes it again."""
    service = RabbitMQ(services_folder / "rabbitmq")
    for _ in _started(service):
        yield service


@pytest.fixture(scope="session")
def postgres(services_folder: Path) -> Iterator[PostgreSQL]:
    """The session's database process, empty: tests take `postgres_url`."""
    service = PostgreSQL(services_folder / "postgres")
    for _ in _started(service):
        yield service


@pytest.fixture
def postgres_url(postgres: PostgreSQL) -> Iterator[str]:
    """A new, empty PostgreSQL database, dropped after the test."""
    name = f"test_{uuid.uuid4().hex}"
    yield postgres.create_database(name)
    postgres.start()  # a test may have left it stopped or paused
    postgres.drop_database(name)


@pytest.fixture(scope="session")
def php() -> str:
    """The command that runs PHP with its SoapClient."""
    if not Php.installed():
        if _required():
            pytest.fail(f"PHP is missing: an administrator installs {Php.package}")
        pytest.skip("PHP with its SOAP extension is not installed on this machine")
    return "php"


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's program."""
    path = Chromium.path()
    if path is None:
        if _required():
            pytest.fail(f"Chromium is missing: an administrator installs {Chromium.package}")
        pytest.skip("Chromium is not installed on this machine")
    return path


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A SQLite database file that does not exist yet."""
    return f"sqlite+aiosqlite:///{tmp_path / 'ledger.sqlite'}"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def ledger_url(request: pytest.FixtureRequest) -> str:
    """One test body, both ledgers: an empty database."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture(params=["embedded", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)])
def broker_url(request: pytest.FixtureRequest) -> str:
    """One test body, both brokers. The RabbitMQ node is shared: tests name their own queues."""
    if request.param == "embedded":
        return "embedded:"
    service: RabbitMQ = request.getfixturevalue("rabbitmq")
    service.start()  # a test may have left it stopped or paused
    return service.url
