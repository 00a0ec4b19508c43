"""What the bus counts and measures, for Prometheus. One registry per process.

`Metrics` is also the engine's `Observer` (bus.engine.observer). Every metric is described here and
nowhere else; labels hold names from configuration or fixed words, never anything a caller chose.
"""

from __future__ import annotations

import time
from collections import Counter as Tally
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from bus.engine.observer import News
from bus.engine.spans import Spans
from bus.ledger.alerts import AlertRow
from bus.ledger.records import Backlog, EndpointState
from bus.ops.tallies import Tallies
from bus.ops.usage import UsageCount
from schemas import instant
from schemas.instant import Instant

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_SLOW = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 86_400)
_BATCH = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class Metrics:
    """All metrics of one process, with the calls that feed them."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.tallies = Tallies()
        self.usage = UsageCount(instant.now)
        self.spans: Spans | None = None
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._declare_gateway()
        self._declare_services()
        self._declare_engine()
        self._declare_polling()
        self._declare_backlog()
        self._declare_alerts()
        self._declare_surroundings()
        # the children of what is counted for every message, looked up once
        self._requests_of = cache(self._requests.labels)
        self._seconds_of = cache(self._seconds.labels)
        self._accepted_of = cache(self._accepted.labels)
        self._attempts_of = cache(self._attempts.labels)
        self._attempt_seconds_of = cache(self._attempt_seconds.labels)
        self._finished_of = cache(self._finished.labels)
        self._delivery_seconds_of = cache(self._delivery_seconds.labels)

    def _declare_gateway(self) -> None:
        r = self.registry
        self._requests = Counter(
            "lgsp_http_requests",
            "HTTP requests answered, by route template",
            ["method", "route", "status"],
            registry=r,
        )
        self._seconds = Histogram(
            "lgsp_http_request_seconds",
            "From the first byte of a request's head to the last byte of its answer",
            ["route"],
            buckets=_FAST,
            registry=r,
        )
        self._refused = Counter(
            "lgsp_http_refused", "Requests refused, by code of the error", ["code"], registry=r
        )
        self._in_flight = Gauge("lgsp_http_in_flight", "HTTP requests being worked on", registry=r)

    def _declare_services(self) -> None:
        r = self.registry
        self._called = Counter(
            "lgsp_service_calls",
            "Calls of services, by outcome (answered, or the code of the error)",
            ["service", "operation", "outcome"],
            registry=r,
        )
        self._call_seconds = Histogram(
            "lgsp_service_call_seconds",
            "From an admitted call to its reply, retries included",
            ["service"],
            buckets=_FAST,
            registry=r,
        )
        self._translation = Histogram(
            "lgsp_translation_seconds",
            "Translating one message of a service, by direction (request, reply)",
            ["direction"],
            buckets=_FAST,
            registry=r,
        )

    def _declare_engine(self) -> None:
        r = self.registry
        self._accepted = Counter(
            "lgsp_accepted", "Messages accepted (committed)", ["kind", "lane"], registry=r
        )
        self._accept_seconds = Histogram(
            "lgsp_accept_seconds",
            "From a complete packet to its commit",
            buckets=_FAST,
            registry=r,
        )
        self._repeats = Counter(
            "lgsp_repeats",
            "Messages that were known already: duplicate (same content), conflict (other content)",
            ["kind"],
            registry=r,
        )
        self._warnings = Counter(
            "lgsp_packet_warnings", "Deviations that readers put up with", registry=r
        )
        self._attempts = Counter(
            "lgsp_delivery_attempts",
            "Attempts at partners, by result (schemas.adapter.Result)",
            ["endpoint", "result"],
            registry=r,
        )
        self._attempt_seconds = Histogram(
            "lgsp_delivery_attempt_seconds",
            "How long an attempt took",
            ["endpoint"],
            buckets=_FAST,
            registry=r,
        )
        self._finished = Counter(
            "lgsp_deliveries_finished",
            "Deliveries that reached a state that ends them, or dead",
            ["endpoint", "state"],
            registry=r,
        )
        self._acknowledged = Counter(
            "lgsp_acknowledged",
            "Answers of receivers that fetch, by what they say (delivered, rejected)",
            ["state"],
            registry=r,
        )
        self._delivery_seconds = Histogram(
            "lgsp_delivery_seconds",
            "From acceptance to the end of a delivery",
            ["endpoint"],
            buckets=_SLOW,
            registry=r,
        )
        self._published = Counter(
            "lgsp_published", "Deliveries handed to the broker", ["endpoint"], registry=r
        )
        self._breaker = Gauge(
            "lgsp_breaker_open", "1 while the endpoint is left in peace", ["endpoint"], registry=r
        )
        self._batch_size = Histogram(
            "lgsp_commit_batch_size",
            "Pieces of work that shared one commit",
            ["kind"],
            buckets=_BATCH,
            registry=r,
        )
        self._batch_seconds = Histogram(
            "lgsp_commit_seconds",
            "Duration of a shared commit",
            ["kind"],
            buckets=_FAST,
            registry=r,
        )

    def _declare_polling(self) -> None:
        r = self.registry
        self._polled_at = Gauge(
            "lgsp_poll_last_good_timestamp_seconds",
            "When this process last fetched from the endpoint without failing",
            ["endpoint"],
            registry=r,
        )
        self._poll_failing = Gauge(
            "lgsp_poll_failures_in_a_row",
            "Rounds of fetching that failed since the last good one; 0 while it works",
            ["endpoint"],
            registry=r,
        )
        self._polled = Counter(
            "lgsp_polled", "Packets fetched from the endpoint", ["endpoint"], registry=r
        )

    def _declare_backlog(self) -> None:
        r = self.registry
        self._backlog = Gauge(
            "lgsp_backlog",
            "Deliveries that are not finished, as the ledger has them",
            ["endpoint", "lane", "state"],
            registry=r,
        )
        self._oldest = Gauge(
            "lgsp_backlog_oldest_seconds",
            "Age of the oldest delivery of the endpoint that is not finished",
            ["endpoint"],
            registry=r,
        )
        self._paused = Gauge(
            "lgsp_endpoint_paused", "1 while an operator has paused it", ["endpoint"], registry=r
        )
        self._backlog_at = Gauge(
            "lgsp_backlog_read_timestamp_seconds",
            "When the backlog was last read from the ledger",
            registry=r,
        )
        self._ledger_up = Gauge("lgsp_ledger_up", "1 while the ledger answers", registry=r)
        self._broker_up = Gauge("lgsp_broker_up", "1 while the broker answers", registry=r)

    def _declare_alerts(self) -> None:
        r = self.registry
        self._alerts = Gauge(
            "lgsp_alerts_open",
            "Alerts that are raised and not resolved; only the process that looks has any",
            ["rule", "severity"],
            registry=r,
        )
        self._alerts_at = Gauge(
            "lgsp_alerts_looked_timestamp_seconds",
            "When this process last looked whether something is wrong; 0: another one does",
            registry=r,
        )
        self._notices = Counter(
            "lgsp_alert_notices",
            "Letters to the channels of alerts, by whether the channel took it (taken, failed)",
            ["channel", "result"],
            registry=r,
        )
        self._notices_waiting = Gauge(
            "lgsp_alert_notices_waiting",
            "News of alerts that a channel has not been told",
            ["channel"],
            registry=r,
        )

    def _declare_surroundings(self) -> None:
        r = self.registry
        self._disk = Gauge(
            "lgsp_disk_free_share",
            "Share of the disk that is free, by folder that this process watches",
            ["path"],
            registry=r,
        )
        self._processes = Gauge(
            "lgsp_processes", "Processes of the bus that are alive, by role", ["role"], registry=r
        )

    # The gateway.

    def request_started(self) -> None:
        self._in_flight.inc()

    def request_finished(self, method: str, route: str, status: int, seconds: float) -> None:
        """`route` is a template (`/messages/{id}`), never a path a caller made up."""
        self._in_flight.dec()
        self._requests_of(method, route, status).inc()
        self._seconds_of(route).observe(seconds)

    def refused(self, code: str) -> None:
        self._refused.labels(code).inc()

    def service_called(
        self,
        service: str,
        operation: str,
        outcome: str,
        seconds: float,
        *,
        client: str,
        agency: str,
    ) -> None:
        """Who asks is no label: who may see metrics need not see it."""
        self._called.labels(service, operation, outcome).inc()
        self._call_seconds.labels(service).observe(seconds)
        self.tallies.called(service, outcome)
        self.usage.called(service, operation, outcome, seconds, client=client, agency=agency)

    def translated(self, direction: str, seconds: float) -> None:
        self._translation.labels(direction).observe(seconds)

    # The engine's Observer.

    def accepted(self, kind: str, lane: str, seconds: float) -> None:
        self._accepted_of(kind, lane).inc()
        self._accept_seconds.observe(seconds)

    def heard(self, sender: str, news: News) -> None:
        if news.as_ != "new":
            self._repeats.labels(news.as_).inc()
        if news.warnings:
            self._warnings.inc(len(news.warnings))
        self.tallies.heard(sender, news)

    def attempted(self, endpoint: str, result: str, seconds: float) -> None:
        self._attempts_of(endpoint, result).inc()
        self._attempt_seconds_of(endpoint).observe(seconds)
        self.tallies.attempted(endpoint, result)

    def finished(self, endpoint: str, state: str, seconds_since_accept: float) -> None:
        self._finished_of(endpoint, state).inc()
        self._delivery_seconds_of(endpoint).observe(seconds_since_accept)

    def acknowledged(self, state: str) -> None:
        self._acknowledged.labels(state).inc()

    def breaker(self, endpoint: str, open_: bool) -> None:
        self._breaker.labels(endpoint).set(open_)

    def published(self, endpoint: str, count: int) -> None:
        self._published.labels(endpoint).inc(count)

    def batch(self, kind: str, size: int, seconds: float) -> None:
        self._batch_size.labels(kind).observe(size)
        self._batch_seconds.labels(kind).observe(seconds)

    def polled(self, endpoint: str, taken: int | None) -> None:
        if taken is None:
            self._poll_failing.labels(endpoint).inc()
            return
        self._poll_failing.labels(endpoint).set(0)
        self._polled.labels(endpoint).inc(taken)
        self._polled_at.labels(endpoint).set(time.time())

    # What the ledger and the broker say, read now and then.

    def backlog(self, rows: Iterable[Backlog], *, now: Instant | None = None) -> None:
        """Replaces every backlog gauge: an endpoint that is empty now must not keep a number."""
        moment = instant.now() if now is None else now
        counts: Tally[tuple[str, str, str]] = Tally()
        oldest: dict[str, Instant] = {}
        for row in rows:
            counts[row.endpoint, str(row.lane), str(row.state)] += row.count
            oldest[row.endpoint] = min(row.oldest, oldest.get(row.endpoint, row.oldest))
        self._backlog.clear()
        self._oldest.clear()
        for (endpoint, lane, state), count in counts.items():
            self._backlog.labels(endpoint, lane, state).set(count)
        for endpoint, at in oldest.items():
            self._oldest.labels(endpoint).set(max(0, moment - at) / instant.SECOND)
        self._backlog_at.set(time.time())

    def endpoints(self, states: Mapping[str, EndpointState]) -> None:
        """Pauses and breakers as the ledger has them: the breaker may be another process's."""
        for name, state in states.items():
            self._paused.labels(name).set(state.paused)
            self._breaker.labels(name).set(state.breaker != "closed")

    def alerts(self, rows: Iterable[AlertRow], waiting: Mapping[str, int]) -> None:
        """What there is after a look."""
        counts = Tally((row.rule, row.severity) for row in rows if row.raised_at is not None)
        self._alerts.clear()
        for (rule, severity), count in counts.items():
            self._alerts.labels(rule, severity).set(count)
        self._notices_waiting.clear()
        for channel, count in waiting.items():
            self._notices_waiting.labels(channel).set(count)
        self._alerts_at.set(time.time())

    def alert_told(self, channel: str, taken: bool) -> None:
        self._notices.labels(channel, "taken" if taken else "failed").inc()

    def disk(self, path: str, free: float) -> None:
        """`free`: from 0 to 1."""
        self._disk.labels(path).set(free)

    def processes(self, living: Mapping[str, int]) -> None:
        """By role, as this process sees them."""
        for role, count in living.items():
            self._processes.labels(role).set(count)

    def health(self, *, ledger: bool, broker: bool) -> None:
        self._ledger_up.set(ledger)
        self._broker_up.set(broker)

    def render(self) -> bytes:
        """The text Prometheus reads (CONTENT_TYPE)."""
        return generate_latest(self.registry)
