"""Where the ledger's PostgreSQL is: one server, or a primary with standbys of which each may become
the primary (chuyển đổi dự phòng).

Every connection of the bus is made here, so that all of them follow a failover the same way.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import asyncpg
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from schemas.errors import ConfigurationError

CONNECT_SECONDS = 5.0
"""One that is switched off says nothing at all: then the next is tried, or the same again."""
PORT = 5432
DEAD_PEERS = {
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}
"""Settings of every session: in seconds, when the server looks whether we are still there."""

_PLACE = re.compile(r"(?:\[(?P<v6>[0-9a-fA-F:.]+)\]|(?P<name>[^:\[\]]+))(?::(?P<port>\d{1,5}))?")
_SEVERAL = re.compile(r"^(?P<scheme>[^:/?#]+://)(?P<who>[^/?#]*@)?(?P<places>[^/?#@]*,[^/?#@]*)")

Place = tuple[str, int]


def ledger_url(text: str) -> URL:
    """`text` may name several servers, as libpq writes them: `…://user@one:5432,two:5432/lgsp`.

    Raises ConfigurationError, which never shows the text: it may hold a password.
    """
    try:
        several = _SEVERAL.match(text)
        if several is None:
            return make_url(text)
        places = [_place(each) for each in several["places"].split(",")]
        start, end = several.span("places")
        url = make_url(text[:start] + text[end:])
    except (ArgumentError, ValueError):
        raise ConfigurationError(
            "database_url is not an address of a database.",
            vi="database_url không phải địa chỉ cơ sở dữ liệu.",
        ) from None
    return url.update_query_dict({"host": tuple(_written(each) for each in places)})


def servers_of(url: URL) -> list[Place]:
    """In the order in which they are named; empty: one, which the URL's other parts say."""
    named = url.query.get("host", ())
    return [] if isinstance(named, str) else [_place(each) for each in named]


def _place(text: str) -> Place:
    found = _PLACE.fullmatch(text.strip())
    if found is None:
        msg = "not host or host:port"
        raise ValueError(msg)
    return found["v6"] or found["name"], int(found["port"] or PORT)


def _written(place: Place) -> str:
    host, port = place
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Servers:
    """Connects to whichever of them takes writes now."""

    def __init__(self, url: URL) -> None:
        places = servers_of(url)
        attributes = url.query.get("target_session_attrs")
        self._wanted = attributes or ("read-write" if places else "any")
        query = {("sslmode" if name == "ssl" else name): v for name, v in url.query.items()}
        query.pop("target_session_attrs", None)
        if places:
            del query["host"]
        plain = url.set(drivername="postgresql", query=query)
        urls = [plain.set(host=host, port=port) for host, port in places] or [plain]
        self._dsns = [each.render_as_string(hide_password=False) for each in urls]

    async def connect(self, settings: Mapping[str, str] | None = None) -> asyncpg.Connection:
        """The server that answered last is asked first.

        Raises what asyncpg raises (`bus.ledger.database.GONE`) when none of them takes writes.
        """
        failure: BaseException | None = None
        for dsn in list(self._dsns):
            try:
                connection = await asyncpg.connect(
                    dsn,
                    timeout=CONNECT_SECONDS,
                    server_settings=DEAD_PEERS | dict(settings or {}),
                    target_session_attrs=self._wanted,
                )
            except _NEXT as error:
                failure = error
                continue
            self._dsns.remove(dsn)
            self._dsns.insert(0, dsn)
            return connection
        assert failure is not None  # noqa: S101 - there is at least one server
        if isinstance(failure, asyncpg.TargetServerAttributeNotMatched):
            raise ConnectionRefusedError("no server takes writes") from failure
        raise failure


_NEXT = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # among them: this server takes no writes
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # it starts or shuts down
    asyncpg.InsufficientResourcesError,
)
