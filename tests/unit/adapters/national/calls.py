"""What the tests of national services share."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from typing import Any, TypeVar

import aiohttp
import jsonschema
import yaml

from adapters.national import CallContext, NationalService, create_national
from adapters.national.sandbox_gateway import SECRET, USER, Desk, NationalSandbox
from adapters.signon import PartnerCall, create_sign_on

CONTEXT = CallContext("H99.19", officer="001000000009", seconds=10)
Found = TypeVar("Found", bound=Desk)


def secrets(name: str) -> bytes:
    return {"lgsp": SECRET.encode()}[name]


def token(sandbox: NationalSandbox) -> dict[str, Any]:
    return {
        "kind": "token",
        "token_url": f"{sandbox.url}/token",
        "client_id": USER,
        "client_secret": "lgsp",
    }


def connect(
    http: aiohttp.ClientSession, sandbox: NationalSandbox, name: str, **config: Any
) -> NationalService:
    declared = {"service": name, "url": f"{sandbox.url}/{name}", "sign_on": token(sandbox)}
    return create_national(declared | config, secrets, http)


def desk(sandbox: NationalSandbox, kind: type[Found]) -> Found:
    found = next(each for each in sandbox.desks.values() if isinstance(each, kind))
    assert isinstance(found, kind)
    return found


def openapi(name: str) -> dict[str, Any]:
    """The pinned contract of a service that speaks JSON."""
    module = name.replace("-", "_")
    folder = resources.files(f"adapters.national.{module}")
    found: dict[str, Any] = yaml.safe_load(folder.joinpath(f"{module}.yaml").read_bytes())
    return found


def check(contract: Mapping[str, Any], path: str, method: str, body: object) -> None:
    """The body of a good answer is as the contract says. Raises jsonschema.ValidationError."""
    response = contract["paths"][path][method]["responses"]["200"]
    if "$ref" in response:
        response = contract["components"]["responses"][response["$ref"].rpartition("/")[2]]
    schema = response["content"]["application/json"]["schema"]
    whole = {"components": contract["components"], **schema}
    jsonschema.validate(body, whole)


async def told_raw(
    http: aiohttp.ClientSession, sandbox: NationalSandbox, path: str, ask: object = None
) -> Any:
    """What the sandbox itself answers, as JSON; GET where nothing is asked."""
    call = PartnerCall(f"{sandbox.url}/{path}", {}, b"", soap=False, officer="")
    await create_sign_on(token(sandbox), secrets, http).sign(call)
    method = "GET" if ask is None else "POST"
    async with http.request(method, call.url, headers=call.headers, json=ask) as response:
        assert response.status == 200
        return await response.json()
