"""Every name and argument that the bus uses on RabbitMQ, as data.

    deliveries (topic) ──lane.endpoint──▶ one quorum queue per endpoint and lane
        └─ alternate exchange ─▶ unrouted (fanout) ─▶ unrouted (queue)
    events (topic)     ──▶ whoever subscribes

The bus itself consumes `unrouted` and sends each work back to its own queue, which it makes again.
This is needed because a message that an alternate exchange takes counts as routed: RabbitMQ
confirms it and returns nothing, even when it was published as mandatory.

`x-delivery-limit` must not drop work: beyond it a message is dead-lettered to `unrouted`, so it
returns to the end of its queue with a fresh count.  It is stated because RabbitMQ 4 otherwise
applies a limit of 20 and drops.  At-least-once dead-lettering asks for `reject-publish`.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from urllib.parse import quote

from schemas.errors import ConfigurationError
from schemas.message import Lane

Arguments = dict[str, str | int]

_PREFIX = re.compile(r"(?!amq)[A-Za-z0-9_-]{1,40}")
_MAX_ENDPOINT = 190  # AMQP allows 255 bytes for a queue's name or a routing key


@dataclass(frozen=True, slots=True)
class Exchange:
    name: str
    kind: str
    arguments: Arguments


@dataclass(frozen=True, slots=True)
class Queue:
    name: str
    exchange: str
    routing_key: str
    arguments: Arguments


@dataclass(frozen=True, slots=True)
class Topology:
    """The names under one prefix.  Buses with different prefixes can share a RabbitMQ.

    Raises ConfigurationError for a prefix that could make two names meet.
    """

    prefix: str = "lgsp"

    def __post_init__(self) -> None:
        if not _PREFIX.fullmatch(self.prefix):
            raise ConfigurationError(
                "the broker prefix must be 1 to 40 letters, digits, _ or -, not starting with amq",
                vi="tiền tố RabbitMQ gồm 1 đến 40 chữ, số, _ hoặc -, không bắt đầu bằng amq",
            )

    @property
    def deliveries(self) -> Exchange:
        return Exchange(
            f"{self.prefix}.deliveries", "topic", {"alternate-exchange": self._unrouted_name}
        )

    @property
    def events(self) -> Exchange:
        return Exchange(f"{self.prefix}.events", "topic", {})

    @property
    def unrouted(self) -> Exchange:
        return Exchange(self._unrouted_name, "fanout", {})

    @property
    def unrouted_queue(self) -> Queue:
        """Its limit only has to be out of reach: nothing stands behind it."""
        arguments: Arguments = {"x-queue-type": "quorum", "x-delivery-limit": 1_000_000}
        return Queue(self._unrouted_name, self._unrouted_name, "", arguments)

    def queue(self, endpoint: str, lane: Lane) -> Queue:
        arguments: Arguments = {
            "x-queue-type": "quorum",
            "x-delivery-limit": 20,
            "x-dead-letter-exchange": self._unrouted_name,
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
        }
        name = f"{self.prefix}.{lane.value}.{_fit(_escape(endpoint))}"
        return Queue(name, self.deliveries.name, self.routing_key(endpoint, lane), arguments)

    def routing_key(self, endpoint: str, lane: Lane) -> str:
        """`lane.endpoint` in exactly two words: dots and wildcards in the endpoint are escaped."""
        return f"{lane.value}.{_fit(_escape(endpoint).replace('.', '+2E'))}"

    @property
    def _unrouted_name(self) -> str:
        return f"{self.prefix}.unrouted"


def _escape(endpoint: str) -> str:
    """As in a URL but with + for %, which AMQP 0-9-1 does not allow in a queue's name."""
    return quote(endpoint, safe="").replace("~", "%7E").replace("%", "+")


def _fit(name: str) -> str:
    """A name that is too long keeps its beginning and gets a digest, so it stays unique."""
    if len(name) <= _MAX_ENDPOINT:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:32]
    return f"{name[: _MAX_ENDPOINT - 33]}@{digest}"
