"""Log lines: form, correlation id, and nothing secret in them."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from bus.ops import logging as bus_logging
from bus.ops import tracing
from schemas.errors import MalformedXml

KEY = "lgspk_A1b2C3d4E5f6G7h8"


class Log:
    """What a process writes; `lines` are its JSON objects."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    def configure(self, **given: Any) -> None:
        bus_logging.configure(stream=self.stream, **given)

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]


@pytest.fixture
def log() -> Iterator[Log]:
    root, access = logging.getLogger(), bus_logging.access
    before = (root.handlers, root.level, access.handlers, access.propagate)
    log = Log()
    log.configure()
    yield log
    root.handlers, root.level, access.handlers, access.propagate = before
    structlog.reset_defaults()


def test_structlog_and_standard_lines_look_alike(log: Log) -> None:
    structlog.get_logger("bus.engine").info("started", workers=3)
    logging.getLogger("somebody").warning("slow: %d ms", 7)
    bus_logging.access_line({"status": 200})
    ours, theirs, access = log.lines
    assert (ours["event"], ours["level"], ours["workers"]) == ("started", "info", 3)
    assert (theirs["event"], theirs["level"]) == ("slow: 7 ms", "warning")
    assert (access["event"], access["status"]) == ("request", 200)
    for line in (ours, theirs, access):
        assert {"timestamp", "level", "logger", "event"} <= line.keys()


def test_correlation_id_of_the_task_is_on_every_line(log: Log) -> None:
    token = tracing.current.set("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    structlog.get_logger("bus").info("inside")
    logging.getLogger("library").info("inside")
    tracing.current.reset(token)
    structlog.get_logger("bus").info("outside")
    assert [line.get("trace_id") for line in log.lines] == [
        "0af7651916cd43dd8448eb211c80319c",
        "0af7651916cd43dd8448eb211c80319c",
        None,
    ]


@pytest.mark.parametrize(
    "name",
    [
        "secret",
        "client_secret",
        "Authorization",
        "access_token",
        "password",
        "key",
        "api-key",
        "Cookie",
    ],
)
def test_values_under_telling_names_are_hidden_at_every_depth(log: Log, name: str) -> None:
    structlog.get_logger("bus").info("x", **{name: "mở-cửa"}, deep=[{"headers": {name: "mở-cửa"}}])
    assert "mở-cửa" not in log.text
    assert log.lines[0]["deep"] == [{"headers": {name: "***"}}]


@pytest.mark.parametrize("name", ["order_key", "key_hint", "tokens_purged", "monkey"])
def test_innocent_names_are_kept_where_they_must_be(name: str) -> None:
    assert bus_logging.is_secret(name) == (
        name == "tokens_purged"
    )  # rather too much than too little


@pytest.mark.parametrize(
    "text",
    [
        f"GET /x with {KEY}",
        f"Authorization: Bearer {KEY}",
        "Basic dmFuLXBob25nOm1hdC1raGF1",
        "postgresql+asyncpg://lgsp:mat-khau@db/lgsp",
        "amqp://:mat-khau@mq",
        "GET /callback?access_token=mat-khau-dai&x=1",
    ],
)
def test_credentials_inside_any_text_are_hidden(log: Log, text: str) -> None:
    structlog.get_logger("bus").warning(text, more=[text])
    logging.getLogger("library").warning("%s", text)
    for secret in (KEY, "mat-khau", "dmFuLXBob25n"):
        assert secret not in log.text


def test_exceptions_say_where_and_what_kind_but_not_what_was_in_the_data(log: Log) -> None:
    try:
        try:
            int("Phạm Thị Bí Mật")
        except ValueError as error:
            raise MalformedXml("not XML at line 3") from error
    except MalformedXml:
        structlog.get_logger("bus").exception("failed")
        logging.getLogger("library").exception("failed")
    for line in log.lines:
        ours, cause = line["exception"]
        assert (ours["type"], ours["detail"]) == (
            "schemas.errors.MalformedXml",
            "not XML at line 3",
        )
        assert cause["type"] == "builtins.ValueError"
        assert "test_exceptions_say_where" in cause["frames"][-1]
    assert "Bí Mật" not in log.text


def test_configuring_again_replaces_and_does_not_repeat(log: Log) -> None:
    log.configure(level="WARNING")
    structlog.get_logger("bus").info("quiet")
    structlog.get_logger("bus").warning("loud")
    bus_logging.access_line({"status": 200})
    assert [line["event"] for line in log.lines] == ["loud"]


def test_libraries_never_speak_below_info(log: Log) -> None:
    """Database drivers at DEBUG write down every row."""
    log.configure(level="DEBUG")
    logging.getLogger("aiosqlite").debug("row")
    structlog.get_logger("bus.engine").debug("ours")
    assert [line["event"] for line in log.lines] == ["ours"]


def test_servers_own_access_lines_are_dropped(log: Log) -> None:
    logging.getLogger("uvicorn.access").info('"GET /x?access_token=%s" 200', KEY)
    logging.getLogger("uvicorn.error").info("Started")
    assert [line["event"] for line in log.lines] == ["Started"]


def test_console_style_is_for_people(log: Log) -> None:
    log.configure(style="console")
    structlog.get_logger("bus").info("started", client_secret=KEY)
    bus_logging.access_line({"status": 200})
    assert "started" in log.text
    assert "status" in log.text
    assert KEY not in log.text
