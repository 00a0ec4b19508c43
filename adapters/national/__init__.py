"""National services behind one port; see README.md."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import aiohttp
from pydantic import ValidationError

from adapters.national import (
    business,
    catalogues,
    civil_status,
    combined,
    insurance,
    judicial_records,
    model,
    population,
    procedures,
)
from adapters.national.port import CallContext, Json, NationalOperation, NationalService
from adapters.national.service import NationalConfig, Operation, Service
from adapters.signon import parse_sign_on
from adapters.signon.plain import Secrets
from schemas.errors import ConfigurationError
from schemas.sessions import Sessions, unshared

__all__ = [
    "CallContext",
    "Json",
    "NationalFace",
    "NationalOperation",
    "NationalService",
    "create_national",
    "national_services",
    "parse_national",
]


class _Kind(NamedTuple):
    config: type[NationalConfig]
    operations: Callable[[Any], tuple[Operation[Any, Any], ...]]


_KINDS: Mapping[str, _Kind] = MappingProxyType(
    {
        "business": _Kind(business.BusinessConfig, business.operations),
        "catalogues": _Kind(catalogues.CataloguesConfig, catalogues.operations),
        "civil-status": _Kind(civil_status.CivilStatusConfig, civil_status.operations),
        "combined": _Kind(combined.CombinedConfig, combined.operations),
        "insurance": _Kind(insurance.InsuranceConfig, insurance.operations),
        "judicial-records": _Kind(
            judicial_records.JudicialRecordsConfig, judicial_records.operations
        ),
        "population": _Kind(population.PopulationConfig, population.operations),
        "procedures": _Kind(procedures.ProceduresConfig, procedures.operations),
    }
)


def national_services() -> tuple[str, ...]:
    """The names that a configuration's `service` may have."""
    return tuple(_KINDS)


class NationalFace:
    """What a declaration offers, without its address and sign-on."""

    def __init__(self, options: Mapping[str, object]) -> None:
        """Raises ConfigurationError."""
        found = parse_national({**options, "url": "https://address.invalid/"})
        self.name = str(options["service"])
        self._known = {each.name: each for each in _KINDS[self.name].operations(found)}
        self.operations = {name: each.declared() for name, each in self._known.items()}

    def check(self, operation: str, json: object) -> None:
        """Raises ContractMismatch for a question that the service would refuse."""
        model.read(self._known[operation].ask, json)


def parse_national(config: Mapping[str, object]) -> NationalConfig:
    """The declaration checked, its sign_on as well, without connecting or resolving anything.

    Raises ConfigurationError that names the fields at fault and never repeats their values.
    """
    name = str(config.get("service", ""))
    if name not in _KINDS:
        known = ", ".join(_KINDS)
        raise ConfigurationError(
            f"Unknown national service {name[:50]!r}; known: {known}.",
            vi=f"Không có dịch vụ quốc gia {name[:50]!r}; các dịch vụ hiện có: {known}.",
        )
    try:
        found = _KINDS[name].config.model_validate(config)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"
            for fault in error.errors(include_input=False, include_url=False)
        )
        raise ConfigurationError(
            f"Wrong configuration of national service {name}: {faults}",
            vi=f"Cấu hình dịch vụ quốc gia {name} sai: {faults}",
        ) from None  # pydantic's own error repeats the values
    parse_sign_on(found.sign_on)
    return found


def create_national(
    config: Mapping[str, object],
    secrets: Secrets,
    http: aiohttp.ClientSession,
    sessions: Sessions = unshared,
) -> NationalService:
    """`http` is the shared session of `adapters.http.open_session()`, `sessions` as for sign-ons.

    Raises ConfigurationError for a wrong configuration or a secret that cannot be used.
    """
    found = parse_national(config)
    name = str(config["service"])
    return Service(name, found, _KINDS[name].operations(found), secrets, http, sessions)
