"""Declared services (dịch vụ): whom the bus may ask, how, and who may ask through it.

A service is known as `name@version`; versions stand side by side. The documents of its contract
(WSDL, XSD) are kept in the ledger by their SHA-256.
"""

from __future__ import annotations

from datetime import date, datetime
from fnmatch import fnmatchcase
from typing import Annotated, Any

from pydantic import Field, StringConstraints, model_validator

from schemas.agency import AgencyCode
from schemas.declared import BreakerPolicy, Declared
from schemas.maintenance import Maintenance, away

ServiceName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
ServiceVersion = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{0,30}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]

FieldPath = Annotated[str, StringConstraints(pattern=r"^[^/\s][^/]*(/[^/]+)*$", max_length=500)]
"""Members of a message's JSON from the outside in, `CongDan/HoVaTen`; items of an array share the
array's path. It means that member with all that is in it; `*` alone means everything."""

ALL = "*"


class Contract(Declared):
    """Đặc tả: the WSDL `main` with what it refers to; documents by name, as SHA-256."""

    main: str
    documents: dict[str, Sha256]

    @model_validator(mode="after")
    def _has_main(self) -> Contract:
        if self.main not in self.documents:
            msg = f"the main document {self.main} is not among the documents"
            raise ValueError(msg)
        return self


class Personal(Declared):
    """The operation tells something about people: officer and purpose are demanded, and every
    access is written down under whom it was about.
    """

    subjects: tuple[FieldPath, ...] = Field(
        (), description="where the request names the person (số định danh)"
    )
    reply_subjects: tuple[FieldPath, ...] = Field(
        (), description="where the reply names people, for operations that list them"
    )


class Changes(Declared):
    """Cung cấp phần thay đổi: the operation tells what changed since a cursor (con trỏ).

    Without a cursor it tells everything there is.
    """

    cursor: FieldPath = Field(description="member of the request that takes the cursor")
    next: FieldPath = Field(description="member of the reply with the cursor of the next question")
    changed: tuple[FieldPath, ...] = Field(
        min_length=1, description="arrays of the reply with what is new or other than before"
    )
    removed: tuple[FieldPath, ...] = Field(
        (), description="arrays of the reply with what is no longer there"
    )
    key: FieldPath | None = Field(
        None, description="member of an item that says which it is: its changes stay in order"
    )


class OperationSettings(Declared):
    """What the contract does not say of an operation."""

    idempotent: bool = Field(False, description="asking twice does no harm: failures are retried")
    attempts: int = Field(3, ge=1, le=10, description="of an idempotent operation")
    cache_seconds: float = Field(
        0, ge=0, le=86_400, description="how long a reply may answer the same question; 0: never"
    )
    personal: Personal | None = None
    purpose_required: bool = Field(False, description="a purpose is demanded; personal implies it")
    empty_is_none: bool = Field(
        False, description="an HTTP answer without a body means that nothing was found"
    )

    changes: Changes | None = Field(None, description="where it tells what changed since a cursor")
    as_of: FieldPath | None = Field(
        None, description="member of the request that takes the day whose state is asked for"
    )

    @model_validator(mode="after")
    def _cached_safely(self) -> OperationSettings:
        if self.cache_seconds and not self.idempotent:
            msg = "only an idempotent operation can be cached"
            raise ValueError(msg)
        if self.cache_seconds and self.personal is not None:
            # the register must see for itself which officer asks about whom
            msg = "personal data is not cached"
            raise ValueError(msg)
        return self

    @property
    def needs_purpose(self) -> bool:
        return self.purpose_required or self.personal is not None


_XmlName = r"^([A-Za-z_][A-Za-z0-9._-]{0,99})?$"


class SoapNames(Declared):
    """What a JSON service is called in the WSDL that the bus makes of it; empty: by its title.

    Clients are written against these names, so they stay when the partner changes its title, and
    may be those of the SOAP service that it replaces.
    """

    namespace: str = Field(
        "",
        pattern=r"^((urn:|https?://)[A-Za-z0-9._~:/?#@!$&'()*+,;=%\-]{1,300})?$",
        description="targetNamespace",
    )
    service: str = Field("", pattern=_XmlName, description="of service, port type and bindings")
    port: str = Field("", pattern=_XmlName, description="of SOAP 1.1; none: the service's, Soap11")
    port_12: str = Field(
        "", pattern=_XmlName, description="of SOAP 1.2; else the service's, Soap12"
    )

    @model_validator(mode="after")
    def _ports_differ(self) -> SoapNames:
        if self.port and self.port == self.port_12:
            msg = "the two ports have one name"
            raise ValueError(msg)
        return self


NO_NAMES = SoapNames()


class Service(Declared):
    """Dịch vụ: one version of a partner's service."""

    name: ServiceName
    version: ServiceVersion = "1"
    current: bool = Field(
        False, description="calls that name no version get this one; the only version needs no mark"
    )
    title_vi: str = ""
    title_en: str = ""
    contract: Contract
    soap: SoapNames = Field(
        NO_NAMES, description="names in the WSDL; of services described by OpenAPI alone"
    )
    address: str = Field(
        "", pattern=r"^(https?://[^\s#]+)?$", description="where it is; none: what the WSDL says"
    )
    timeout: float = Field(30, gt=0, le=600, description="seconds of a call, retries included")
    sign_on: dict[str, Any] = Field(
        {"kind": "none"}, description="how calls prove themselves; checked by adapters.signon"
    )
    operations: dict[str, OperationSettings] = Field({}, description="by name, where they differ")
    concurrency: int = Field(16, ge=1, le=1000, description="calls at once, per gateway process")
    rate: float | None = Field(None, gt=0, description="calls a second of all callers, per process")
    caller_rate: float = Field(50, gt=0, description="calls a second of one caller, per process")
    breaker: BreakerPolicy = BreakerPolicy(failures=5)
    suspended: bool = Field(False, description="tạm dừng, until it is declared otherwise")
    maintenance: tuple[Maintenance, ...] = ()

    @property
    def id(self) -> str:
        """What identifies it among declared services."""
        return f"{self.name}@{self.version}"

    def settings(self, operation: str) -> OperationSettings:
        return self.operations.get(operation, _PLAIN)

    def away(self, at: datetime) -> Maintenance | None:
        """The maintenance going on at that moment."""
        return away(self.maintenance, at)


_PLAIN = OperationSettings(idempotent=False)  # of operations that are not named


class Feed(Declared):
    """Đăng ký nhận thay đổi: what changes in a register is pushed to an agency, by its grant."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
    agency: AgencyCode = Field(description="who gets it, at its endpoint")
    service: ServiceName
    operation: str = Field(description="one that declares `changes`")
    request: dict[str, Any] = Field({}, description="its other members")
    every: float = Field(3600, ge=1, le=7 * 86_400, description="seconds between two questions")
    officer: str = Field("", description="who answers for it, where the operation is personal")
    purpose: str = ""
    suspended: bool = False


class Grant(Declared):
    """Cấp quyền: an agency, or one system, may call operations of a service and see fields."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
    agency: AgencyCode | None = None
    client: str | None = None
    service: ServiceName
    operations: tuple[str, ...] = Field(
        (ALL,), min_length=1, description="names, or patterns: `TraCuu*`; `*` alone means all"
    )
    fields: tuple[FieldPath, ...] = Field(
        (ALL,), description="members of replies that may be seen; the others are withheld"
    )
    purposes: tuple[str, ...] = Field(
        (), description="purposes that may be given; none: any, where one is demanded"
    )
    valid_from: date | None = None
    valid_to: date | None = None
    suspended: bool = Field(False, description="tạm dừng for this agency alone")

    @model_validator(mode="after")
    def _to_somebody(self) -> Grant:
        if (self.agency is None) == (self.client is None):
            msg = "a grant is for an agency or for a client"
            raise ValueError(msg)
        return self

    def names(self, operation: str) -> bool:
        """Whether it is for that operation, on any day."""
        return any(fnmatchcase(operation, each) for each in self.operations)

    def covers(self, operation: str, day: date) -> bool:
        begun = self.valid_from is None or self.valid_from <= day
        return self.names(operation) and begun and (self.valid_to is None or day <= self.valid_to)
