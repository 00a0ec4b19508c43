"""When the bus raises an alert, and whom it tells: table `alerts` of the settings.

The defaults fit a province: thousands of messages a day, partners that are away for minutes now
and then, staff who read mail in office hours.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from adapters.connection import web_address

Address = Annotated[str, StringConstraints(pattern=r"^[^\s@<>,;]+@[^\s@<>,;]+$", max_length=254)]
Seconds = Annotated[float, Field(gt=0)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Email(_Part):
    """Thư điện tử: the mail server and who is written to."""

    host: str = Field(min_length=1)
    port: int = Field(587, ge=1, le=65_535)
    tls: Literal["starttls", "implicit", "none"] = Field(
        "starttls", description="none: only for a server on this machine"
    )
    ca_file: Path | None = Field(None, description="authority of the server's certificate, PEM")
    user: str | None = None
    password: str | None = Field(None, description="name of the secret with the password")
    sender: Address
    recipients: tuple[Address, ...] = Field(min_length=1)
    seconds: Seconds = Field(20, description="for each step of the conversation")

    @model_validator(mode="after")
    def _not_in_the_clear(self) -> Email:
        local = self.host in {"localhost", "127.0.0.1", "::1"}
        if self.tls == "none" and (self.user is not None or not local):
            msg = "tls = none is for a server on this machine, without a password"
            raise ValueError(msg)
        if (self.user is None) != (self.password is None):
            msg = "user and password (name of a secret) belong together"
            raise ValueError(msg)
        return self


class Hook(_Part):
    """A system that is told by HTTP POST, signed as Standard Webhooks has it."""

    url: Annotated[str, AfterValidator(web_address)]
    secret: str = Field(min_length=1, description="name of the secret that signs")
    ca_file: str | None = None
    seconds: Seconds = 15


class Thresholds(_Part):
    """When something counts as trouble. Times in seconds, shares from 0 to 1."""

    silent_factor: float = Field(
        3.0, ge=1, description="silence, in multiples of the usual longest pause of a sender"
    )
    silent_least: Seconds = Field(3_600, description="shorter silences are no alert")
    silent_working_time: bool = Field(
        True, description="count office hours only (lịch làm việc of the province)"
    )
    rhythm_span: Seconds = Field(86_400, description="a rhythm has one longest pause of each")
    rhythm_spans: int = Field(10, ge=3, description="so many are remembered; 3 make a rhythm")
    backlog_normal: Seconds = Field(1_800, description="age of the oldest unfinished delivery")
    backlog_urgent: Seconds = 300
    backlog_pull: Seconds = Field(86_400, description="the same, for those that are fetched")
    errors_share: float = Field(0.2, gt=0, le=1)
    errors_least: int = Field(10, ge=1, description="failed attempts, below which no alert")
    window: Seconds = Field(600, description="over which errors, repeats and clocks are judged")
    breaker_seconds: Seconds = Field(60, description="open for so long")
    dossiers_share: float = Field(0.1, gt=0, le=1, description="unfinished and late, of an agency")
    dossiers_least: int = Field(5, ge=1)
    repeats_share: float = Field(0.5, gt=0, le=1)
    repeats_least: int = Field(20, ge=1)
    drift_learns: int = Field(20, ge=0, description="messages of a sender before its news count")
    drift_seconds: Seconds = Field(86_400, description="a new deviation stays news for so long")
    drift_forgets: Seconds = Field(
        30 * 86_400, description="a deviation not seen for so long is new again"
    )
    skew_seconds: Seconds = Field(120, description="a sender's clock against ours")
    skew_lasts: Seconds = Field(60, description="late messages that come at once are no skew")
    skew_least: int = Field(5, ge=1, description="messages that agree about it")
    expiry_days: float = Field(30, gt=0)
    expiry_critical_days: float = Field(7, gt=0)
    disk_share: float = Field(0.1, gt=0, lt=1, description="free space, warning")
    disk_critical_share: float = Field(0.03, gt=0, lt=1)
    disks: dict[Path, Annotated[float, Field(gt=0, lt=1)]] = Field(
        {},
        description="further folders whose disks are watched, and the share that must be free:"
        " backups, PostgreSQL's",
    )
    process_seconds: Seconds = Field(30, description="a killed process was not started again")
    process_settles: Seconds = Field(
        15,
        description="one that is known for less may stand in for one whose death is not noticed",
    )
    process_deaths: int = Field(
        3, ge=2, description="of each process of a kind within the window: it dies again and again"
    )
    process_forgets: Seconds = Field(
        86_400, description="one that nobody started again for so long is not expected any more"
    )
    role_seconds: Seconds = Field(30, description="without a live process of a role")
    ledger_seconds: Seconds = Field(60, description="without the ledger")
    journal_pause: Seconds = Field(3_600, description="from one check of the whole to the next")
    broker_seconds: Seconds = Field(60, description="without RabbitMQ")
    channel_seconds: Seconds = Field(600, description="a channel of alerts takes nothing")
    rejected_share: float = Field(0.3, gt=0, le=1, description="attempts the partner says no to")


class AlertPolicy(_Part):
    """Cảnh báo."""

    every: float = Field(15, gt=0, le=60, description="seconds between two looks")
    resolve_after: Seconds = Field(60, description="not found for so long: resolved")
    remind_every: Seconds = Field(86_400, description="told again while it lasts")
    group_seconds: Seconds = Field(
        300, description="news of the same culprit are told together, at most this often"
    )
    email: Email | None = None
    webhook: Hook | None = None
    thresholds: Thresholds = Thresholds()

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of those that are set."""
        return tuple(name for name in ("email", "webhook") if getattr(self, name) is not None)
