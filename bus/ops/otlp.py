"""Sends spans to an OpenTelemetry collector (OTLP over HTTP), when its address is set."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bus.engine.spans import Span, SpanKind
from schemas.errors import ConfigurationError

if TYPE_CHECKING:
    from opentelemetry.trace import SpanContext

QUEUE = 20_000
"""Spans that wait at most while the collector is away; more are dropped."""

EVERY_SECONDS = 2.0
SAMPLED = 1


class OtlpSpans:
    """A queue and a thread of the SDK's; never waits for the collector."""

    def __init__(self, endpoint: str, *, process: str) -> None:
        """`endpoint` with its path, as `http://collector:4318/v1/traces`.

        Raises ConfigurationError when OpenTelemetry is not installed.
        """
        try:
            # late: only who sets an address needs them
            from opentelemetry import trace as api  # noqa: PLC0415
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
                OTLPSpanExporter,
            )
            from opentelemetry.sdk import trace as sdk  # noqa: PLC0415
            from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
            from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
        except ImportError as error:
            raise ConfigurationError(
                "otlp_endpoint is set, but OpenTelemetry is not installed: the administrator runs"
                " pip install 'lgsp-bus[otel]'",
                vi="Đã đặt otlp_endpoint nhưng chưa cài OpenTelemetry: quản trị trục chạy"
                " pip install 'lgsp-bus[otel]'",
            ) from error
        self._api, self._sdk = api, sdk
        self._resource = Resource({"service.name": "lgsp", "service.instance.id": process})
        self._processor = BatchSpanProcessor(
            OTLPSpanExporter(endpoint=endpoint, timeout=10),
            max_queue_size=QUEUE,
            schedule_delay_millis=EVERY_SECONDS * 1000,
        )
        self._kinds: dict[SpanKind, api.SpanKind] = {
            "server": api.SpanKind.SERVER,
            "client": api.SpanKind.CLIENT,
            "producer": api.SpanKind.PRODUCER,
            "internal": api.SpanKind.INTERNAL,
        }

    def record(self, span: Span) -> None:
        if not int(span.trace[53:55], 16) & SAMPLED:
            return
        code = self._api.StatusCode.ERROR if span.failed else self._api.StatusCode.UNSET
        self._processor.on_end(
            self._sdk.ReadableSpan(
                name=span.name,
                context=self._context(span.trace),
                parent=self._context(span.parent) if span.parent else None,
                resource=self._resource,
                attributes=span.facts,
                kind=self._kinds[span.kind],
                status=self._api.Status(code),
                start_time=span.began,
                end_time=span.ended,
            )
        )

    def _context(self, trace: str) -> SpanContext:
        return self._api.SpanContext(
            trace_id=int(trace[3:35], 16),
            span_id=int(trace[36:52], 16),
            is_remote=False,
            trace_flags=self._api.TraceFlags(int(trace[53:55], 16)),
        )

    async def close(self) -> None:
        """What waits is sent, for as long as one attempt may take."""
        await asyncio.to_thread(self._processor.shutdown)
