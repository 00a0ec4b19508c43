"""Whether a declared service can be called: its contract compiles, its sign-on is understood."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from bus.cli.lang import say, spoken
from schemas.errors import LgspError

if TYPE_CHECKING:
    from schemas.service import Service


def faults_of_service(service: Service, contents: Mapping[str, bytes]) -> list[str]:
    """What is wrong with it, each in one sentence. `contents`: documents by SHA-256."""
    # late: lxml is needed here only
    from adapters.signon import parse_sign_on  # noqa: PLC0415
    from bus.gateway import national, rest_service  # noqa: PLC0415

    documents = {
        name: contents[digest]
        for name, digest in service.contract.documents.items()
        if digest in contents
    }
    try:
        parse_sign_on(service.sign_on)
        contract = national.compile_contract(documents, service.contract.main, names=service.soap)
        if isinstance(contract, national.NationalContract) and not service.address:
            raise national.needs_address(contract)
        addresses = [service.address or each.address for each in contract.operations.values()]
        if isinstance(contract, rest_service.RestService) and not all(addresses):
            raise rest_service.needs_address(contract)
    except LgspError as error:
        return [spoken(error.detail)]
    found = [
        say(f"đặc tả không có thao tác {name}", f"the contract has no operation {name}")
        for name in service.operations
        if name not in contract.operations
    ]
    if all(each.problems for each in contract.operations.values()):
        lacks = ", ".join(contract.missing)
        vi, en = (f"; thiếu tệp: {lacks}", f"; missing: {lacks}") if lacks else ("", "")
        found.append(say(f"không gọi được thao tác nào{vi}", f"no operation can be called{en}"))
    return found
