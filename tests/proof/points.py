"""The named crash points: every place between two effects at which the bus may die.

A point stands before or after a function that has an effect.  No code of the bus knows of them: the
patched process (`saboteur.py`) puts them there, so that nothing can switch one on in production,
and a name whose function is gone ends the process at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Backend = Literal["embedded-sqlite", "rabbitmq-postgresql"]
BOTH: tuple[Backend, ...] = ("embedded-sqlite", "rabbitmq-postgresql")


@dataclass(frozen=True)
class Point:
    """`targets` are `module:name`, the one that this process runs is patched with the others."""

    name: str  # area.moment
    targets: tuple[str, ...]
    when: Literal["before", "after"]
    passages: int = 12  # it dies at one of the first so many
    backends: tuple[Backend, ...] = BOTH
    role: str = "serve"  # that passes here, where roles are apart; or the command

    @property
    def area(self) -> str:
        return self.name.partition(".")[0]


def _tx(step: str) -> tuple[str, ...]:
    return (f"bus.ledger.sqlite:SqliteTx.{step}", f"bus.ledger.postgres:PostgresTx.{step}")


_STORE = ("bus.ledger.sqlite:SqliteStore._transact", "bus.ledger.postgres:PostgresStore.run")
_BLOB = "bus.ledger.blobs:"
_DELIVER = "bus.engine.deliver:"
_PUSH = "adapters.rest_push.outbound:RestPush."
_INBOX = "bus.engine.collect:EndpointInbox."
_STORED = "bus.ledger.config_store:"
_EMBEDDED: tuple[Backend, ...] = ("embedded-sqlite",)
_RABBIT: tuple[Backend, ...] = ("rabbitmq-postgresql",)
_BROKERS = ("bus.broker.embedded:EmbeddedBroker.", "bus.broker.rabbitmq.broker:RabbitBroker.")
_CONSUMER = "bus.broker.rabbitmq.consumer:Session.answer"

_GATEWAY, _DISPATCHER, _WORKER = "gateway", "dispatcher", "worker"

_ALL = (
    # accept: from the first byte to the receipt
    Point("accept.packet-read", ("bus.engine.accept:Intake.close",), "after", role=_GATEWAY),
    Point("accept.blob-begun", (_BLOB + "BlobStore.writer",), "after", 4, role=_GATEWAY),
    Point("accept.blob-piece", (_BLOB + "BlobWriter.write",), "after", 6, role=_GATEWAY),
    Point("accept.blob-synced", (_BLOB + "BlobStore.locked",), "before", 4, role=_GATEWAY),
    Point("accept.blob-in-place", (_BLOB + "BlobWriter._publish",), "after", 4, role=_GATEWAY),
    Point("accept.decided", ("bus.engine.accept:Acceptor.decide",), "after", role=_GATEWAY),
    Point("accept.original-kept", ("bus.engine.spool:Spool.commit",), "after", role=_GATEWAY),
    Point("accept.transaction-begun", _tx("insert_messages"), "before", role=_GATEWAY),
    Point("accept.messages-inserted", _tx("insert_messages"), "after", role=_GATEWAY),
    Point("accept.documents-followed", ("bus.ledger.exchange:settle",), "after", role=_GATEWAY),
    Point("accept.dossiers-noted", ("bus.ledger.dossiers:settle",), "after", role=_GATEWAY),
    Point("accept.deliveries-inserted", _tx("insert_deliveries"), "after", role=_GATEWAY),
    Point("accept.journalled", _tx("append_journal"), "after", role=_GATEWAY),
    Point("accept.heads-announced", _tx("announce"), "after", role=_GATEWAY),
    Point("accept.committed", _STORE, "after", role=_GATEWAY),
    Point("accept.receipt-known", ("bus.ledger.ledger:Ledger.accept",), "after", role=_GATEWAY),
    Point("accept.receipt-written", ("bus.gateway.receipts:response",), "after", role=_GATEWAY),
    # dispatch: from the ledger to the broker
    Point("dispatch.heard", ("bus.engine.dispatch:Dispatcher._heard",), "before", role=_DISPATCHER),
    Point(
        "dispatch.heads-read",
        ("bus.ledger.ledger:Ledger.read_heads",),
        "after",
        role=_DISPATCHER,
    ),
    Point(
        "dispatch.reconciling",
        ("bus.engine.dispatch:Dispatcher._reconcile",),
        "before",
        role=_DISPATCHER,
    ),
    Point(
        "dispatch.publishing",
        ("bus.engine.dispatch:Dispatcher._publish",),
        "before",
        role=_DISPATCHER,
    ),
    Point(
        "dispatch.broker-has-it",
        tuple(f"{broker}publish" for broker in _BROKERS),
        "after",
        role=_DISPATCHER,
    ),
    Point(
        "dispatch.probing",
        ("bus.ledger.ledger:Ledger.ready_probe",),
        "after",
        1,
        role=_DISPATCHER,
    ),
    # deliver: from the broker to the partner
    Point("deliver.handed-over", (_DELIVER + "EndpointRunner._handle",), "before", role=_WORKER),
    Point("deliver.claiming", ("bus.ledger.ledger:Ledger.claim",), "before", role=_WORKER),
    Point("deliver.claim-written", _tx("claim"), "after", role=_WORKER),
    Point("deliver.claimed", ("bus.ledger.ledger:Ledger.claim",), "after", role=_WORKER),
    Point("deliver.prepared", (_DELIVER + "prepare",), "after", 4, role=_WORKER),
    Point("deliver.attempting", (_DELIVER + "EndpointRunner._attempt",), "before", role=_WORKER),
    Point("deliver.looked-up", (_PUSH + "_look_up",), "after", 2, role=_WORKER),
    Point("deliver.posting", (_PUSH + "_post",), "before", role=_WORKER),
    Point("deliver.answered", (_PUSH + "_post",), "after", role=_WORKER),
    Point("deliver.blob-opened", (_BLOB + "BlobStore.open",), "before", 3, role=_WORKER),
    Point("deliver.judged", (_DELIVER + "judge",), "after", role=_WORKER),
    Point(
        "deliver.breaker-opening",
        ("bus.ledger.ledger:Ledger.open_breaker",),
        "before",
        1,
        role=_WORKER,
    ),
    Point(
        "deliver.breaker-open", ("bus.ledger.ledger:Ledger.open_breaker",), "after", 1, role=_WORKER
    ),
    Point(
        "deliver.breaker-closed",
        ("bus.ledger.ledger:Ledger.close_breaker",),
        "after",
        1,
        role=_WORKER,
    ),
    # ack: from the partner's answer to the end of the delivery
    Point("ack.finishing", ("bus.ledger.ledger:Ledger.finish",), "before", role=_WORKER),
    Point("ack.outcome-written", _tx("close"), "after", role=_WORKER),
    Point("ack.documents-ended", ("bus.ledger.exchange:ended",), "after", role=_WORKER),
    Point("ack.next-released", _tx("next_heads"), "after", role=_WORKER),
    Point("ack.finished", ("bus.ledger.ledger:Ledger.finish",), "after", role=_WORKER),
    Point(
        "ack.broker-not-told",
        ("bus.broker.embedded:EmbeddedBroker._settle", _CONSUMER),
        "before",
        role=_WORKER,
    ),
    Point(
        "ack.broker-told",
        ("bus.broker.embedded:EmbeddedBroker._settle", _CONSUMER),
        "after",
        role=_WORKER,
    ),
    Point(
        "ack.arrival-due",
        ("bus.engine.arrivals:ArrivalReporter._report",),
        "before",
        6,
        role=_DISPATCHER,
    ),
    Point("ack.arrival-noted", ("bus.engine.arrivals:_reported",), "before", 6, role=_DISPATCHER),
    Point(
        "ack.arrival-told",
        ("bus.engine.arrivals:ArrivalReporter._report",),
        "after",
        6,
        role=_DISPATCHER,
    ),
    Point("ack.taking-back", ("bus.ledger.process_acts:bury",), "before", 1, role=_DISPATCHER),
    Point("ack.taken-back", ("bus.ledger.process_acts:bury",), "after", 1, role=_DISPATCHER),
    # poll: from a partner that is fetched from to its acknowledgement
    Point("poll.round-begun", ("adapters.vxp.outbound:Vxp.poll",), "before", 3, role=_WORKER),
    Point("poll.listed", ("adapters.vxp.polling:_list",), "after", 3, role=_WORKER),
    Point("poll.packet-fetched", (_INBOX + "take",), "before", 4, role=_WORKER),
    Point("poll.packet-accepted", (_INBOX + "_accept",), "after", 4, role=_WORKER),
    Point("poll.packet-journalled", (_INBOX + "take",), "after", 4, role=_WORKER),
    Point("poll.partner-told", ("adapters.vxp.polling:_Round._answer",), "after", 4, role=_WORKER),
    Point("poll.round-noted", ("bus.engine.rounds:Rounds.good",), "after", 3, role=_WORKER),
    # a process comes up
    Point("start.registered", ("bus.ledger.process_acts:register",), "after", 1),
    Point("start.configuration-read", (_STORED + "ConfigStore.items",), "after", 1),
    # migrate: an empty database to the newest schema
    Point("migrate.locked", ("bus.ledger.migrate:_upgrade",), "before", 1, role="migrate"),
    Point(
        "migrate.step-made",
        ("alembic.runtime.migration:HeadMaintainer.update_to_step",),
        "before",
        7,
        role="migrate",
    ),
    Point(
        "migrate.step-noted",
        ("alembic.runtime.migration:HeadMaintainer.update_to_step",),
        "after",
        7,
        role="migrate",
    ),
    Point("migrate.upgraded", ("bus.ledger.migrate:_upgrade",), "after", 1, role="migrate"),
    Point("migrate.committed", ("bus.ledger.migrate:migrate",), "after", 1, role="migrate"),
    # apply: a declared change to all processes
    Point("apply.prepared", (_STORED + "_prepared",), "after", 1, role="apply"),
    Point("apply.revision-written", (_STORED + "_insert_revision",), "after", 1, role="apply"),
    Point("apply.items-written", (_STORED + "ConfigStore._write_items",), "after", 1, role="apply"),
    Point("apply.committed", (_STORED + "ConfigStore.apply",), "after", 1, role="apply"),
)

POINTS = MappingProxyType({point.name: point for point in _ALL})


def points_of(role: str, backend: Backend) -> list[Point]:
    """`running`: all that a running bus passes; else those of a command."""
    commands = {"migrate", "apply"}
    return [
        point
        for point in _ALL
        if backend in point.backends
        and (point.role == role if role in commands else point.role not in commands)
    ]
