"""What is counted, and what is asked."""

from __future__ import annotations

import asyncio
import re

from bus.engine.observer import Observer
from bus.ledger.records import Backlog, EndpointState
from bus.ops.health import Examiner
from bus.ops.metrics import Metrics
from schemas.delivery import DeliveryState
from schemas.errors import LedgerUnavailable
from schemas.instant import SECOND
from schemas.message import Lane


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    found: float | None = metrics.registry.get_sample_value(name, labels)
    return found


def test_engine_reports_become_metrics() -> None:
    metrics = Metrics()
    observer: Observer = metrics  # the protocol is met, as far as mypy can tell
    observer.accepted("document", "urgent", 0.02)
    observer.attempted("so-y-te", "unknown", 1.5)
    observer.attempted("so-y-te", "delivered", 0.1)
    observer.finished("so-y-te", "delivered", 3.0)
    observer.breaker("so-y-te", True)
    observer.published("so-y-te", 7)
    observer.batch("accept", 16, 0.004)
    assert value(metrics, "lgsp_accepted_total", kind="document", lane="urgent") == 1
    attempts = "lgsp_delivery_attempts_total"
    assert value(metrics, attempts, endpoint="so-y-te", result="unknown") == 1
    assert value(metrics, "lgsp_delivery_attempt_seconds_sum", endpoint="so-y-te") == 1.6
    done = "lgsp_deliveries_finished_total"
    assert value(metrics, done, endpoint="so-y-te", state="delivered") == 1
    assert value(metrics, "lgsp_breaker_open", endpoint="so-y-te") == 1
    assert value(metrics, "lgsp_published_total", endpoint="so-y-te") == 7
    assert value(metrics, "lgsp_commit_batch_size_sum", kind="accept") == 16
    observer.breaker("so-y-te", False)
    assert value(metrics, "lgsp_breaker_open", endpoint="so-y-te") == 0


def test_a_silent_partner_is_seen_in_the_metrics() -> None:
    metrics = Metrics()
    metrics.polled("truc", 3)
    at = value(metrics, "lgsp_poll_last_good_timestamp_seconds", endpoint="truc")
    metrics.polled("truc", None)
    metrics.polled("truc", None)
    assert value(metrics, "lgsp_polled_total", endpoint="truc") == 3
    assert value(metrics, "lgsp_poll_failures_in_a_row", endpoint="truc") == 2
    assert value(metrics, "lgsp_poll_last_good_timestamp_seconds", endpoint="truc") == at
    metrics.polled("truc", 0)
    assert value(metrics, "lgsp_poll_failures_in_a_row", endpoint="truc") == 0


def test_backlog_that_is_gone_leaves_no_number_behind() -> None:
    metrics = Metrics()
    now = 1_790_000_000 * SECOND
    queued, waiting = DeliveryState.QUEUED, DeliveryState.WAITING
    rows = [
        Backlog("a", Lane.NORMAL, queued, 3, now - 60 * SECOND),
        Backlog("a", Lane.NORMAL, waiting, 1, now - 90 * SECOND),
        Backlog("b", Lane.URGENT, queued, 2, now + SECOND),
    ]
    metrics.backlog(rows, now=now)
    assert value(metrics, "lgsp_backlog", endpoint="a", lane="normal", state="queued") == 3
    assert value(metrics, "lgsp_backlog_oldest_seconds", endpoint="a") == 90
    assert value(metrics, "lgsp_backlog_oldest_seconds", endpoint="b") == 0  # a clock ahead of ours
    metrics.backlog(rows[2:], now=now)
    assert value(metrics, "lgsp_backlog", endpoint="a", lane="normal", state="queued") is None
    assert value(metrics, "lgsp_backlog_oldest_seconds", endpoint="a") is None


def test_endpoints_as_the_ledger_has_them() -> None:
    metrics = Metrics()
    metrics.endpoints({"a": EndpointState("a", paused=True, breaker="open")})
    assert value(metrics, "lgsp_endpoint_paused", endpoint="a") == 1
    assert value(metrics, "lgsp_breaker_open", endpoint="a") == 1


def test_every_metric_is_described_and_named_alike() -> None:
    metrics = Metrics()
    metrics.request_started()
    metrics.request_finished("GET", "/healthz", 200, 0.001)
    metrics.refused("too-large")
    metrics.health(ledger=True, broker=False)
    text = metrics.render().decode()
    own = re.findall(r"^# HELP (lgsp_\w+) (.+)$", text, re.MULTILINE)
    assert len(own) > 15
    assert all(len(described) > 10 for _, described in own)
    assert "lgsp_broker_up 0.0" in text
    assert "process_cpu_seconds_total" in text


def test_two_registries_in_one_process_do_not_meet() -> None:
    one, two = Metrics(), Metrics()
    one.refused("x")
    assert value(two, "lgsp_http_refused_total", code="x") is None


async def up() -> None: ...


async def down() -> None:
    raise LedgerUnavailable("mật khẩu sai")


async def broken() -> None:
    raise ValueError("bí mật")


async def hangs() -> None:
    await asyncio.get_running_loop().create_future()


async def test_only_what_is_required_decides() -> None:
    assert (await Examiner({"a": up}, {"b": up})()).status == "ready"
    degraded = await Examiner({"a": up}, {"b": broken})()
    assert (degraded.status, degraded.ready) == ("degraded", True)
    unready = await Examiner({"a": down}, {"b": up})()
    assert (unready.status, unready.ready) == ("unready", False)


async def test_reasons_are_codes_and_kinds_without_their_texts() -> None:
    health = await Examiner({"a": down}, {"b": broken, "c": hangs}, seconds=0.02)()
    assert [part.reason for part in health.parts] == [
        "ledger-unavailable",
        "ValueError",
        "TimeoutError",
    ]


async def test_many_questions_share_one_answer() -> None:
    asked = 0

    async def count() -> None:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0)

    examiner = Examiner({"a": count}, keep=60)
    await asyncio.gather(*(examiner() for _ in range(50)))
    assert asked == 1
