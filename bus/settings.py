"""Settings of one process (thiết lập): environment over TOML file over defaults.

Every field `name` can come from the environment as `LGSP_NAME`.  What is declared for the whole bus
(agencies, endpoints, routes, clients) is not here: it lives in the ledger, see schemas.province.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict

from bus.ops.alerts.policy import AlertPolicy
from schemas.errors import ConfigurationError

PREFIX = "LGSP_"
SECRET_PREFIX = "LGSP_SECRET_"  # noqa: S105 - a prefix of names, not a secret
NOT_SETTINGS = frozenset({"LGSP_CONFIG", "LGSP_LANG", "LGSP_REQUIRE_SERVICES"})
DEFAULT_FILE = Path("lgsp.toml")

KIB = 1024
MIB = 1024 * KIB

_SECRET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_URL_PASSWORD = re.compile(r"(?<=://)([^:/?#]*):.*@")  # greedy: a password may hold an unescaped @
_QUERY_PASSWORD = re.compile(r"(?i)([?&][^=&]*(?:pass|secret|token)[^=&]*=)[^&]*")


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


AbsolutePath = Annotated[Path, AfterValidator(_absolute)]


FacadePath = Annotated[str, StringConstraints(pattern=r"^/[a-z0-9][a-z0-9-]*$")]
OWN_PATHS = frozenset({"/api", "/services", "/soap"})
"""Doors of the bus itself stand under these."""


def _ledger_in(values: dict[str, Any]) -> str:
    return f"sqlite+aiosqlite:///{values['data_dir'] / 'ledger.db'}"


class Settings(BaseSettings):
    """What one process of the bus needs to know before it can reach the ledger.

    `Settings(...)` takes arguments, then the environment; `load()` is what programs call.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,  # a wrong URL may hold a password
        validate_default=True,
    )

    data_dir: AbsolutePath = Field(
        Path(".state/lgsp"),
        description="folder for large originals, and for the ledger when that is SQLite",
    )
    database_url: str = Field(
        default_factory=_ledger_in,
        repr=False,
        description="ledger: postgresql+asyncpg://… or sqlite+aiosqlite:///…; SQLite in data_dir",
    )
    broker_url: SecretStr | None = Field(
        None, description="RabbitMQ: amqp://… or amqps://…; none: the broker inside the process"
    )
    broker_prefix: str = Field(
        "lgsp",
        pattern=r"^[a-z0-9][a-z0-9.-]{0,31}$",
        description="beginning of the names of exchanges and queues in RabbitMQ",
    )
    http_host: str = Field("127.0.0.1", description="address the gateway listens on")
    http_port: int = Field(
        8080, ge=0, le=65_535, description="port the gateway listens on; 0: any free one"
    )
    ops_host: str = Field(
        "127.0.0.1", description="address for ops_port: of processes without the gateway"
    )
    ops_port: int | None = Field(
        None,
        ge=0,
        le=65_535,
        description="port on which a process without the gateway answers /metrics, /healthz and "
        "/readyz; 0: any free one; none: it does not listen",
    )
    max_packet_bytes: int = Field(
        200 * MIB, ge=KIB, description="bytes of one request, attachments included; beyond: 413"
    )
    inline_bytes: int = Field(
        64 * KIB,
        ge=0,
        description="bytes; originals up to this are kept in the ledger, larger ones in data_dir",
    )
    max_files: int = Field(50, ge=1, description="files in one document; beyond: 413")
    max_in_flight: int = Field(
        2000, ge=1, description="requests at once in one gateway process; beyond: 503"
    )
    max_accepting: int = Field(
        512,
        ge=1,
        description="small documents taken in at once by one gateway process; one system alone "
        "may have half of them. Beyond: 429 or 503",
    )
    max_streams: int = Field(
        500,
        ge=0,
        description="streams of dossier events held open at once; they count as requests, too",
    )
    token_lifetime: float = Field(
        3600, ge=30, le=86_400, description="seconds an access token is good for"
    )
    facades: dict[str, FacadePath] = Field(
        {}, description="doors in partners' own protocols: name and path, for example vxp and /vxp"
    )
    public_url: str | None = Field(
        None,
        pattern=r"^https?://[^\s?#]+$",
        description="where portals reach this bus, for the papers of dossiers",
    )
    file_days: int = Field(
        730, ge=1, le=20_000, description="days a paper of a dossier can be fetched"
    )
    service_job_days: int = Field(
        7,
        ge=1,
        le=90,
        description="days the results of a job of questions to services are kept, then removed",
    )
    console_host: str = Field("127.0.0.1", description="address the console listens on")
    console_port: int | None = Field(
        None,
        ge=0,
        le=65_535,
        description="port of the console inside `lgsp serve`; 0: any free one; none: not there. "
        "`lgsp console` takes 8090 when it is none",
    )
    console_url: str | None = Field(
        None,
        pattern=r"^https?://[^\s?#]+$",
        description="where browsers reach the console; needed when it is not this machine",
    )
    console_idle_minutes: float = Field(
        30, gt=0, le=1440, description="minutes without doing anything that end a session"
    )
    console_session_hours: float = Field(
        12, gt=0, le=168, description="hours after which a session ends in any case"
    )
    oidc_issuer: str | None = Field(
        None,
        pattern=r"^https?://[^\s?#]+$",
        description="identity provider (OpenID Connect) by which people may log in to the console",
    )
    oidc_client_id: str = Field("lgsp-console", description="this console at that provider")
    oidc_claim: str = Field(
        "sub",
        pattern=r"^[A-Za-z0-9_:./-]{1,100}$",
        description="claim of the provider that an account's subject is compared with",
    )
    secrets_dir: AbsolutePath | None = Field(
        None, description="folder with one file for each secret, named like the secret"
    )
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR"],
        BeforeValidator(lambda text: text.upper() if isinstance(text, str) else text),
    ] = Field("INFO", description="least severe log line that is written")
    log_format: Literal["json", "console"] = Field(
        "json", description="json: one object a line, for machines; console: for people"
    )
    metrics_token: SecretStr | None = Field(
        None, description="bearer token with which /metrics may be read from other machines"
    )
    otlp_endpoint: str | None = Field(
        None,
        pattern=r"^https?://[^\s?#@]+$",
        description="OpenTelemetry collector that gets traces: http://…:4318/v1/traces",
    )
    alerts: AlertPolicy = Field(
        default_factory=AlertPolicy,
        description="when something counts as trouble, and who is told; deploy/docs/alerts.md",
    )
    leave_seconds: float = Field(
        0,
        ge=0,
        le=600,
        description="seconds on SIGTERM during which a gateway still takes everything while /readyz"
        " answers 503: as long as the balancer before it needs to see that",
    )
    drain_seconds: float = Field(
        20, ge=0, description="seconds given on SIGTERM to what is in hand; then it is requeued"
    )

    @field_validator("broker_url")
    @classmethod
    def _is_amqp(cls, url: SecretStr | None) -> SecretStr | None:
        known = ("amqp://", "amqps://", "embedded:")
        if url is not None and not url.get_secret_value().startswith(known):
            msg = "must begin with amqp:// or amqps://, or be embedded:"
            raise ValueError(msg)
        return url

    @field_validator("facades")
    @classmethod
    def _stand_apart(cls, facades: dict[str, str]) -> dict[str, str]:
        if OWN_PATHS & set(facades.values()) or len(set(facades.values())) < len(facades):
            msg = f"each needs a path of its own, none of {', '.join(sorted(OWN_PATHS))}"
            raise ValueError(msg)
        return facades

    @model_validator(mode="after")
    def _inline_fits(self) -> Settings:
        if self.inline_bytes > self.max_packet_bytes:
            msg = "inline_bytes must not be larger than max_packet_bytes"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _console_is_private(self) -> Settings:
        """A password over a network without TLS is everybody's."""
        near = self.console_host in {"127.0.0.1", "::1", "localhost"}
        if not near and not (self.console_url or "").startswith("https://"):
            msg = "console_url must be https:// when console_host is not this machine alone"
            raise ValueError(msg)
        return self

    @property
    def blob_dir(self) -> Path:
        return self.data_dir / "blobs"

    @property
    def reconciliation_dir(self) -> Path:
        """Last reports of daily reconciliations."""
        return self.data_dir / "reconciliation"

    @classmethod
    def load(cls, config: Path | None = None, **given: object) -> Settings:
        """From `config`, else the file LGSP_CONFIG names, else ./lgsp.toml where it exists.

        `given` wins over the environment, the environment over the file; a `given` None does not
        count.

        Raises ConfigurationError that names every unknown or wrong key, never a value.
        """
        path = config or _named_file()
        values = _read_toml(path) if path else {}
        _refuse_unknown(values, set(os.environ))
        try:
            chosen = {name: value for name, value in given.items() if value is not None}
            return cls(**(values | EnvSettingsSource(cls)() | chosen))
        except ValidationError as error:
            raise _wrong(error, path) from None  # pydantic's own error may repeat values

    def secret(self, name: str) -> bytes:
        """The secret of that name: variable LGSP_SECRET_<NAME>, else the file in `secrets_dir`.

        Raises ConfigurationError when there is none.
        """
        if not _SECRET_NAME.fullmatch(name):
            raise ConfigurationError(
                f"{name[:50]!r} cannot be the name of a secret.",
                vi=f"{name[:50]!r} không thể là tên bí mật.",
            )
        variable = SECRET_PREFIX + re.sub(r"[^A-Za-z0-9]", "_", name).upper()
        if value := os.environ.get(variable):
            return value.encode()
        if value_in_file := self._secret_file(name):
            return value_in_file
        folder = self.secrets_dir or "secrets_dir (not set)"
        raise ConfigurationError(
            f"Secret {name!r} is missing. The administrator puts it into a file of that name in "
            f"{folder}, or into {variable}.",
            vi=f"Thiếu bí mật {name!r}. Quản trị trục đặt vào tệp cùng tên trong "
            f"{folder}, hoặc biến môi trường {variable}.",
        )

    def _secret_file(self, name: str) -> bytes | None:
        """Its content without the line end an editor leaves; None when absent or empty."""
        if self.secrets_dir is None:
            return None
        try:
            content = (self.secrets_dir / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ConfigurationError(
                f"Secret {name!r} cannot be read: {error.strerror}.",
                vi=f"Không đọc được bí mật {name!r}: {error.strerror}.",
            ) from None
        return content.removesuffix(b"\n").removesuffix(b"\r") or None

    def shown(self) -> dict[str, str | int | float | None]:
        """Every field as it may be shown: passwords are replaced by ***."""
        values: dict[str, Any] = {name: getattr(self, name) for name in type(self).model_fields}
        values["database_url"] = masked(self.database_url)
        if self.broker_url is not None:
            values["broker_url"] = masked(self.broker_url.get_secret_value())
        return {name: _shown(value) for name, value in values.items()}


def _shown(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump_json(exclude_defaults=True)
    return str(value) if isinstance(value, Path | dict) else value


def masked(url: str) -> str:
    """The URL with every password replaced."""
    return _QUERY_PASSWORD.sub(r"\1***", _URL_PASSWORD.sub(r"\1:***@", url))


def _named_file() -> Path | None:
    if named := os.environ.get("LGSP_CONFIG"):
        return Path(named)
    return DEFAULT_FILE if DEFAULT_FILE.is_file() else None


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigurationError(
            f"Settings file {path} cannot be read: {error.strerror}.",
            vi=f"Không đọc được tệp thiết lập {path}: {error.strerror}.",
        ) from None
    except ValueError as error:  # not UTF-8, or not TOML: both name the place, not the value
        raise ConfigurationError(
            f"Settings file {path} is not TOML: {error}.",
            vi=f"Tệp thiết lập {path} không phải TOML: {error}.",
        ) from None


def _refuse_unknown(values: dict[str, Any], environment: set[str]) -> None:
    known = Settings.model_fields
    unknown = [(key, key) for key in values if key not in known]
    unknown += [
        (variable, variable.removeprefix(PREFIX).lower())
        for variable in sorted(environment)
        if variable.startswith(PREFIX)
        and variable not in NOT_SETTINGS
        and not variable.startswith(SECRET_PREFIX)
        and variable.removeprefix(PREFIX).lower() not in known
    ]
    if not unknown:
        return
    near = [difflib.get_close_matches(key, known, n=1) for _, key in unknown]
    listed = ", ".join(
        f"{shown} (→ {match[0]}?)" if match else shown
        for (shown, _), match in zip(unknown, near, strict=True)
    )
    raise ConfigurationError(f"Unknown settings: {listed}.", vi=f"Thiết lập lạ: {listed}.")


def _wrong(error: ValidationError, path: Path | None) -> ConfigurationError:
    faults = "; ".join(
        f"{'.'.join(map(str, fault['loc'])) or 'settings'}: {fault['msg']}"
        for fault in error.errors(include_input=False, include_url=False, include_context=False)
    )
    place = f" ({path})" if path else ""
    return ConfigurationError(
        f"Wrong settings{place}: {faults}.", vi=f"Thiết lập sai{place}: {faults}."
    )
