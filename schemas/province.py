"""Declared configuration of one bus: what `lgsp plan`, `apply` and `export` read and write.

Files hold these models as YAML. Secrets never stand in them: a configuration names a secret, the
settings of the process say where secrets are kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from schemas.agency import AgencyCode
from schemas.declared import BreakerPolicy, Declared
from schemas.dossier.calendar import WorkingCalendar
from schemas.dossier.life import STATUS_NUMBERS
from schemas.dossier.procedure import Procedure
from schemas.maintenance import Maintenance
from schemas.message import Kind
from schemas.service import Feed, Grant, Service

EndpointName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
"""Names an endpoint everywhere: files, queues, metrics, command line."""

SecretName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
"""Names a secret; the settings of the process say where its value is kept."""


class Alias(Declared):
    """Another code of the same agency, in force from `valid_from` up to and with `valid_to`."""

    code: AgencyCode
    valid_from: date | None = None
    valid_to: date | None = None


class Agency(Declared):
    """Cơ quan, đơn vị."""

    code: AgencyCode
    name: str
    parent: AgencyCode | None = None
    aliases: tuple[Alias, ...] = ()
    endpoint: EndpointName | None = None  # none: the nearest ancestor's is used
    valid_from: date | None = None
    valid_to: date | None = None
    source: EndpointName | None = Field(
        None, description="the endpoint whose directory listed it; none: the administrator's own"
    )


class RetryPolicy(Declared):
    """How an endpoint's failed deliveries are tried again.

    The wait doubles from `first` up to the larger of `soft_cap` and a tenth of the time since the
    first failure, never beyond `cap`: short troubles are left behind in seconds, long ones are not
    hammered. Transient failures (certainly not processed) never use attempts up.
    """

    first: float = Field(1.0, gt=0, description="seconds before the second attempt")
    soft_cap: float = Field(6.0, gt=0, description="seconds")
    cap: float = Field(300.0, gt=0, description="seconds")
    max_attempts: int = Field(100, ge=1, description="attempts of unknown outcome before dead")


class Endpoint(Declared):
    """Điểm kết nối: one connected system of an agency, or a national system."""

    name: EndpointName
    kind: str  # adapter kind, see adapters/
    title: str = ""
    config: dict[str, Any] = Field({}, description="checked by the adapter's own model")
    concurrency: int = Field(8, ge=1, le=1000, description="deliveries at once, in all workers")
    retry: RetryPolicy = RetryPolicy(first=1.0)
    breaker: BreakerPolicy = BreakerPolicy(failures=5)
    speaks_for: tuple[
        AgencyCode, ...
    ] = ()  # dossiers fetched from it are theirs, or of those below
    expire_after_days: float | None = Field(None, gt=0)
    reports_arrival: bool = Field(
        True, description="its system sends status 01 itself; false: the bus does it on delivery"
    )
    maintenance: tuple[Maintenance, ...] = Field(
        (), description="meanwhile nothing is sent to it or fetched; all of it is kept"
    )


class Route(Declared):
    """An exception to delivery by directory: the first route that matches decides.

    Patterns are agency codes or a prefix/suffix with `*` (`*.H38`, `H38.*`, `*`).
    """

    name: str
    priority: int = 100  # lower is looked at first
    kinds: tuple[Kind, ...] = ()  # empty: every kind
    sender: str = "*"
    receiver: str = "*"
    action: Literal["deliver", "hold", "refuse"] = "deliver"
    endpoint: EndpointName | None = None  # for action deliver
    reason: str = ""


class Subscription(Declared):
    """Đăng ký nhận: who gets what agencies tell without naming receivers themselves.

    Every subscription that fits adds its receivers. `sender` is a pattern as in a route.
    """

    name: str
    kinds: tuple[
        Literal["dossier", "step", "rating", "evaluation", "statistics", "answer", "postal-order"],
        ...,
    ] = ("dossier", "step")
    sender: str = "*"
    receivers: Annotated[tuple[AgencyCode, ...], Field(min_length=1)]


MappingTable = Literal["procedure", "agency", "fee", "commune", "postal", "status"]
MappedCode = Annotated[str, StringConstraints(pattern=r"^\S+$", max_length=100)]
LocalCode = Annotated[str, StringConstraints(pattern=r"^\S+( \S+)*$", max_length=100)]


class Mapping(Declared):
    """Bảng ánh xạ mã: what a local code is nationally, from `valid_from` up to and with `valid_to`.

    A local code may mean one thing up to a day and another after it: one entry for each period.
    """

    table: MappingTable
    agency: AgencyCode | None = None  # of table status: whose code it is, with the units below it
    local: LocalCode
    national: MappedCode
    valid_from: date | None = None
    valid_to: date | None = None

    @property
    def name(self) -> str:
        """What identifies the entry: `procedure:1.2.3`, `status:H99.02/CHO`, with `@` the day it
        begins, if any.
        """
        since = f"@{self.valid_from.isoformat()}" if self.valid_from else ""
        of = f"{self.agency}/" if self.agency else ""
        return f"{self.table}:{of}{self.local}{since}"

    @model_validator(mode="after")
    def _of_its_table(self) -> Mapping:
        if self.table == "status" and self.national not in STATUS_NUMBERS:
            msg = "the national code of a status is a number from 1 to 10"
            raise ValueError(msg)
        if self.table != "status" and (self.agency or " " in self.local):
            msg = "only a status is of one agency, or written with blanks"
            raise ValueError(msg)
        return self


class Holidays(Declared):
    """Ngày nghỉ lễ, tết of one year, and the days worked to make up for them (ngày làm bù)."""

    year: int = Field(ge=2000, le=2199)
    days: tuple[date, ...]
    made_up: tuple[date, ...] = ()

    @model_validator(mode="after")
    def _of_the_year(self) -> Holidays:
        if any(day.year != self.year for day in (*self.days, *self.made_up)):
            msg = f"a day is not of {self.year}"
            raise ValueError(msg)
        if set(self.days) & set(self.made_up):
            msg = "a day is both free and made up for"
            raise ValueError(msg)
        return self

    @property
    def name(self) -> str:
        return str(self.year)


def calendar_of(years: Iterable[Holidays]) -> WorkingCalendar:
    """The working calendar of all declared years."""
    declared = tuple(years)
    return WorkingCalendar(
        holidays=frozenset(day for each in declared for day in each.days),
        made_up=frozenset(day for each in declared for day in each.made_up),
    )


class Client(Declared):
    """Hệ thống được cấp quyền: an identity that calls the bus. Its keys are kept apart, hashed."""

    id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
    title: str = ""
    agencies: tuple[AgencyCode, ...] = ()  # it speaks for these
    descendants: bool = False  # and for every agency below them
    roles: tuple[Literal["agency", "operator", "subscriber"], ...] = ("agency",)
    follows: tuple[str, ...] = Field(
        (), description="patterns of the agencies whose dossiers a subscriber follows"
    )
    rate: float = Field(100.0, gt=0, description="requests a second, per gateway process")
    burst: int = Field(200, ge=1)
    suspended: bool = False
    system_id: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = Field(
        None, description="mã hệ thống, by which a façade knows it; it signs with `secret`"
    )
    secret: SecretName | None = Field(None, description="name of the secret it signs with")
    previous_secret: SecretName | None = Field(
        None, description="name of the former secret; while it is set, both are good (rotation)"
    )

    @model_validator(mode="after")
    def _subscribes(self) -> Client:
        if bool(self.follows) != ("subscriber" in self.roles):
            msg = "follows and the role subscriber belong together"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _signs(self) -> Client:
        if (self.system_id is None) != (self.secret is None):
            msg = "system_id and secret belong together"
            raise ValueError(msg)
        if self.previous_secret is not None and self.secret is None:
            msg = "previous_secret needs secret"
            raise ValueError(msg)
        return self


class Province(Declared):
    """Everything declared, as one value."""

    agencies: tuple[Agency, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    routes: tuple[Route, ...] = ()
    subscriptions: tuple[Subscription, ...] = ()
    mappings: tuple[Mapping, ...] = ()
    procedures: tuple[Procedure, ...] = ()
    holidays: tuple[Holidays, ...] = ()
    services: tuple[Service, ...] = ()
    grants: tuple[Grant, ...] = ()
    feeds: tuple[Feed, ...] = ()
    clients: tuple[Client, ...] = ()
