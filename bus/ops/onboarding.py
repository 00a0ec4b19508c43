"""Connecting an agency: what has to be declared so that it sends and receives.

The same declarations as in files; `Onboarding.change` puts them beside what is in force.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import ValidationError

from bus.ledger.config_store import Kind
from bus.ops.province_files import explain, several
from schemas.declared import Declared
from schemas.errors import Conflict, Text
from schemas.province import Agency, Client, Endpoint, Province, Subscription

T = TypeVar("T", bound=Declared)

FOLLOWED = ("dossier", "step")


@dataclass(slots=True)
class Onboarding:
    """What was typed so far; empty is not given."""

    code: str = ""
    name: str = ""
    parent: str = ""
    alias: str = ""  # its code of the other form
    endpoint: str = ""  # none: that of the nearest agency above
    kind: str = ""
    title: str = ""
    config: dict[str, Any] = field(default_factory=dict)
    client: str = ""  # none: its system calls with a client that is declared already
    descendants: bool = False
    follows: str = ""  # pattern of the agencies whose dossiers it gets; none: nobody's
    expires_days: float | None = 365  # of the client's first key; none: never

    def agency(self) -> Agency:
        """Raises ConfigurationError that says of each field what is wrong with it."""
        given = {
            "code": self.code,
            "name": self.name,
            "parent": self.parent,
            "endpoint": self.endpoint,
            "aliases": [{"code": self.alias}] if self.alias else [],
        }
        return parsed(Agency, "agency", given)

    def system(self) -> Endpoint | None:
        if not self.endpoint:
            return None
        given = {
            "name": self.endpoint,
            "kind": self.kind,
            "title": self.title,
            "config": self.config,
        }
        return parsed(Endpoint, "endpoint", given)

    def caller(self) -> Client | None:
        if not self.client:
            return None
        given = {
            "id": self.client,
            "title": self.title or self.name,
            "agencies": [self.code],
            "descendants": self.descendants,
        }
        return parsed(Client, "client", given)

    def subscription(self) -> Subscription | None:
        if not self.follows:
            return None
        given = {
            "name": f"ho-so-{self.agency().code.lower()}",
            "kinds": FOLLOWED,
            "sender": self.follows,
            "receivers": [self.code],
        }
        return parsed(Subscription, "subscription", given)

    def change(self, current: Province) -> Province:
        """Raises Conflict when something of that name is declared already."""
        agency, system = self.agency(), self.system()
        caller, subscription = self.caller(), self.subscription()
        _new("agency", agency.code, {a.code for a in current.agencies if a.source is None})
        if system is not None:
            _new("endpoint", system.name, {each.name for each in current.endpoints})
        if caller is not None:
            _new("client", caller.id, {each.id for each in current.clients})
        others = (each for each in current.agencies if each.code != agency.code)
        return current.model_copy(
            update={
                "agencies": (*others, agency),
                "endpoints": (*current.endpoints, *([system] if system else ())),
                "clients": (*current.clients, *([caller] if caller else ())),
                "subscriptions": (
                    *current.subscriptions,
                    *([subscription] if subscription else ()),
                ),
            }
        )


def parsed(model: type[T], kind: Kind, given: Mapping[str, Any]) -> T:
    """A declared item out of a form; what is empty counts as not given.

    Raises ConfigurationError that says of each field what is wrong with it.
    """
    filled = {name: value for name, value in given.items() if value not in ("", None)}
    try:
        return model.model_validate(filled)
    except ValidationError as error:
        faults = error.errors(include_input=False, include_url=False)
        explained = (explain(kind, f["loc"], f["type"], f["msg"]) for f in faults)
        raise several([Text(vi, en) for vi, en in explained]) from None


def _new(kind: str, name: str, known: set[str]) -> None:
    if name in known:
        raise Conflict(
            f"{kind} {name} is declared already: open its page, or choose another name",
            vi=f"{name} đã được khai báo: mở trang của nó, hoặc chọn tên khác",
        )
