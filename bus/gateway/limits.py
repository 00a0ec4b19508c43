"""What one request and one process may use; filled from the process settings."""

from __future__ import annotations

from dataclasses import dataclass

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class GatewayLimits:
    """Sizes in bytes, times in seconds."""

    max_packet: int = 200 * MEBIBYTE  # a raw packet, or a whole multipart request
    max_json: int = MEBIBYTE  # bodies of all other requests, and the `document` part
    max_files: int = 50  # files of one multipart request
    max_in_flight: int = 2000  # requests at once; beyond: 503 with Retry-After
    max_accepting: int = 512  # small messages being taken in at once: two commits' worth
    max_large: int = 32  # and large ones, or of unknown size
    max_paced: int = 1000  # refusals held back at once
    max_streams: int = 500  # of them streams of events, which last
    body_idle: float = 30.0  # longest silence in the middle of a body
    token_lifetime: float = 3600.0
    public_url: str | None = None  # where portals reach this bus
    file_days: int = 730  # how long a paper of a dossier can be fetched
    job_days: int = 7  # results of jobs are kept: they hold personal data
