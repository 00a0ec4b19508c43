"""What the console needs to know of the process it runs in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bus.ops.alerts.policy import AlertPolicy
from bus.ops.granted_operations import Operations


@dataclass(frozen=True, slots=True)
class Limits:
    idle_seconds: float = 1800
    session_seconds: float = 12 * 3600


@dataclass(frozen=True, slots=True)
class Secrets:
    totp: bytes | None = None
    totp_previous: bytes | None = None  # authenticators registered under it go on
    oidc: bytes | None = None  # of this client at the identity provider; none: a public client


@dataclass(frozen=True, slots=True)
class Provider:
    """An OpenID Connect provider (đơn vị cấp định danh)."""

    issuer: str
    client_id: str
    claim: str  # whose value is the `subject` of accounts


@dataclass(frozen=True, slots=True)
class ConsoleSettings:
    public_url: str | None  # under which browsers reach it; None: whatever they call it
    limits: Limits
    secrets: Secrets
    secret: Callable[[str], bytes]  # of an endpoint; raises ConfigurationError
    secrets_dir: Path | None  # where secrets made here are put
    alerts: AlertPolicy
    operations: Operations  # those that a contract has
    provider: Provider | None = None

    @property
    def secure(self) -> bool:
        """Whether cookies may go over HTTPS alone."""
        return self.public_url is not None and self.public_url.startswith("https://")
