"""JSON services of partners, described by OpenAPI, as services of the gateway.

A contract is the OpenAPI document itself.  From it a WSDL is made, so that doors, rights and
descriptions are those of any SOAP service; only what goes to the partner is HTTP and JSON.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import urlsplit

from bus.gateway.translate import Contract, Operation
from bus.gateway.translate.rest import RestContract, RestOperation, compile_openapi
from schemas.errors import ConfigurationError, InvalidContract
from schemas.service import NO_NAMES, SoapNames
from schemas.xml import DEFAULT_LIMITS, Limits

SUFFIXES = (".yaml", ".yml", ".json")


@dataclass(slots=True)
class RestCall(Operation):
    """An operation whose partner speaks HTTP and JSON."""

    rest: RestOperation | None = None


class RestService(Contract):
    """The generated WSDL as the plans have it, and what it was made of."""

    rest: RestContract

    def report(self) -> dict[str, Any]:
        return self.rest.report()


def is_openapi(main: str) -> bool:
    """By the name of the contract's main document."""
    return main.lower().endswith(SUFFIXES)


def compile_rest(
    document: bytes, main: str, *, names: SoapNames = NO_NAMES, limits: Limits = DEFAULT_LIMITS
) -> RestService:
    """Raises InvalidContract: it is no OpenAPI document, or nothing of it can be served."""
    rest = compile_openapi(document, names=names, limits=limits)
    if rest.contract is None:
        problems = sorted({each for op in rest.operations.values() for each in op.problems})
        raise InvalidContract(
            f"{main}: no operation can be served: {'; '.join(problems)[:500]}",
            vi=f"{main}: không thao tác nào phục vụ được: {'; '.join(problems)[:500]}",
            document=main,
        )
    made = RestService(*(getattr(rest.contract, each.name) for each in fields(Contract)))
    made.rest = rest
    address = _address(rest)
    made.operations = {
        name: _call(operation, rest.operations[name], address)
        for name, operation in rest.contract.operations.items()
    }
    return made


def _call(operation: Operation, rest: RestOperation, address: str) -> RestCall:
    values = {each.name: getattr(operation, each.name) for each in fields(Operation)}
    return RestCall(**(values | {"address": address}), rest=rest)


def _address(rest: RestContract) -> str:
    """The first server that the document names in full; empty: the declaration must name one."""
    for server in rest.servers:
        parts = urlsplit(server)
        if parts.scheme in {"http", "https"} and parts.netloc and "{" not in server:
            return server
    return ""


def needs_address(contract: RestService) -> ConfigurationError:
    return ConfigurationError(
        f"{contract.rest.title}: the document names no server, so the service needs an address",
        vi=f"{contract.rest.title}: tài liệu không nêu máy chủ, dịch vụ cần địa chỉ (address)",
    )
