"""Log lines: one JSON object each (or coloured text), with the trace id, without secrets.

Lines of libraries that use the standard library's logging take the same way out.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from collections.abc import Iterator, Mapping, MutableMapping
from datetime import UTC, datetime
from typing import IO, Any, Literal

import orjson
import structlog

from bus.ops import tracing
from schemas.errors import LgspError

HIDDEN = "***"
_OURS = ("bus", "adapters", "routing", "schemas", "gateway")
"""Only these log below INFO: database drivers at DEBUG write down every row that passes."""
MAX_CAUSES = 5
MAX_FRAMES = 20  # innermost frames of each
_SECRET_KEYS = ("secret", "token", "password", "passwd", "authorization", "cookie", "api_key")
_SECRET_NAMES = frozenset({"key", "client_key", "private_key", "signature", "credentials"})
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[a-z0-9._~+/=-]{6,}")
_ISSUED = re.compile(r"\blgsp[kt]_[A-Za-z0-9_-]{8,}")
_URL_PASSWORD = re.compile(r"(?<=://)([^\s:/@]*):[^\s/@]+@")
_QUERY = re.compile(r"(?i)([?&][a-z_]*(?:token|secret|key|password)=)[^&\s\"']+")

access = logging.getLogger("gateway.access")
"""One line for each request: see `access_line`."""

Event = MutableMapping[str, Any]


def configure(
    *,
    level: str = "INFO",
    style: Literal["json", "console"] = "json",
    stream: IO[str] | None = None,
) -> None:
    """Sets structlog and the root logger of this process; repeated calls replace each other."""
    out = stream or sys.stderr
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_trace,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                describe_exception,
                redact,
                _renderer(style),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(logging.getLevelName(level), logging.INFO))
    for name in _OURS:
        logging.getLogger(name).setLevel(level)
    _configure_access(out, level, style)
    _quiet_libraries()


def _configure_access(out: IO[str], level: str, style: Literal["json", "console"]) -> None:
    """A short way out of its own: structlog's costs 90 µs a line, more than the request itself."""
    handler = logging.StreamHandler(out)
    handler.setFormatter(_AccessFormatter(_renderer(style)))
    access.handlers = [handler]
    access.propagate = False
    access.setLevel(level)


class _AccessFormatter(logging.Formatter):
    def __init__(self, render: structlog.types.Processor) -> None:
        super().__init__()
        self._render = render

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds")
        about = {"event": record.msg, "logger": record.name, "level": "info", "timestamp": at}
        fields = record.args if isinstance(record.args, Mapping) else {}
        return str(self._render(None, "info", {**fields, **about}))


def access_line(fields: dict[str, Any]) -> None:
    """Values must be the gateway's own words and numbers: nothing is redacted here."""
    if access.isEnabledFor(logging.INFO):
        access.handle(
            logging.LogRecord(access.name, logging.INFO, "", 0, "request", (fields,), None)
        )


def _renderer(style: Literal["json", "console"]) -> structlog.types.Processor:
    if style == "console":
        return structlog.dev.ConsoleRenderer()
    return structlog.processors.JSONRenderer(_dumps)


def _dumps(event: object, **_: object) -> str:
    return orjson.dumps(event, default=str).decode()


def _quiet_libraries() -> None:
    """The server's own access lines show query strings: the gateway writes its own instead."""
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True
    server_access = logging.getLogger("uvicorn.access")
    server_access.handlers = []
    server_access.propagate = False
    for name in ("aiormq", "aio_pika"):
        logging.getLogger(name).setLevel(logging.WARNING)


def add_trace(_logger: object, _method: str, event: Event) -> Event:
    """Binds the correlation id of the request or delivery in hand."""
    traceparent = tracing.current.get()
    if traceparent:
        event.setdefault("trace_id", tracing.trace_id(traceparent))
    return event


def describe_exception(_logger: object, _method: str, event: Event) -> Event:
    """Replaces `exc_info` by where it happened and what kind of error it was.

    Messages are kept of our own errors only: those of parsers, validators and databases repeat
    values, which may be somebody's personal data.
    """
    info = event.pop("exc_info", None)
    error = info[1] if isinstance(info, tuple) else info
    if error is True:
        error = sys.exc_info()[1]
    if isinstance(error, BaseException):
        event["exception"] = [_describe(each) for each in _chain(error)]
    return event


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error, then what led to it."""
    for _ in range(MAX_CAUSES):
        if error is None:
            return
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _describe(error: BaseException) -> dict[str, Any]:
    kind = type(error)
    frames = traceback.extract_tb(error.__traceback__)[-MAX_FRAMES:]
    described: dict[str, Any] = {
        "type": f"{kind.__module__}.{kind.__qualname__}",
        "frames": [f"{each.filename}:{each.lineno} {each.name}" for each in frames],
    }
    if isinstance(error, LgspError):
        described["detail"] = error.detail.en
    if isinstance(error, OSError):
        described["errno"] = error.errno
    return described


def redact(_logger: object, _method: str, event: Event) -> Event:
    """Hides values under telling names, and credentials inside any text, at every depth."""
    event.pop("color_message", None)  # uvicorn says the same twice
    for key, value in event.items():
        event[key] = HIDDEN if is_secret(key) and value else _clean(value)
    return event


def is_secret(name: str) -> bool:
    lowered = name.lower().replace("-", "_")
    return lowered in _SECRET_NAMES or any(part in lowered for part in _SECRET_KEYS)


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return _clean_text(value)
    if isinstance(value, Mapping):
        return {k: HIDDEN if is_secret(str(k)) and v else _clean(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return _clean_text(str(value))


def _clean_text(text: str) -> str:
    text = _BEARER.sub(rf"\1 {HIDDEN}", text)
    text = _ISSUED.sub(HIDDEN, text)
    text = _URL_PASSWORD.sub(rf"\1:{HIDDEN}@", text)
    return _QUERY.sub(rf"\1{HIDDEN}", text)
