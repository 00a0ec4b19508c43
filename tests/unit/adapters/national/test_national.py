"""What all national services promise."""

from __future__ import annotations

from importlib import resources
from typing import Any

import aiohttp
import jsonschema
import pytest
from openapi_spec_validator import validate

import adapters.national
from adapters.national import create_national, national_services, parse_national
from schemas.errors import ConfigurationError
from tests.unit.adapters.national.calls import openapi, secrets

CONFIGS: dict[str, dict[str, Any]] = {
    "population": {"service_code": "VPCP", "integration_code": "037"},
    "procedures": {"madonvi": "000.00.00.H99"},
}


def config_of(name: str) -> dict[str, Any]:
    return {"service": name, "url": "https://lgsp.example/x", **CONFIGS.get(name, {})}


@pytest.mark.parametrize("name", national_services())
async def test_every_operation_has_schemas_and_titles(
    http: aiohttp.ClientSession, name: str
) -> None:
    service = create_national(config_of(name), secrets, http)
    assert service.name == name
    assert service.operations
    for key, operation in service.operations.items():
        assert key == operation.name
        assert operation.title_vi
        assert operation.title_en
        for schema in (operation.request, operation.reply):
            jsonschema.Draft202012Validator.check_schema(schema)
        assert set(operation.subjects) <= set(operation.request["properties"])


@pytest.mark.parametrize("name", national_services())
def test_every_service_has_a_pinned_contract_and_a_readme(name: str) -> None:
    module = name.replace("-", "_")
    folder = resources.files(f"adapters.national.{module}")
    assert folder.joinpath("README.md").is_file()
    if not folder.joinpath(f"{module}.wsdl").is_file():
        validate(openapi(name))
    index = resources.files(adapters.national).joinpath("README.md").read_text()
    assert f"({module}/README.md)" in index


@pytest.mark.parametrize("name", national_services())
def test_a_wrong_declaration_names_the_field_and_no_value(name: str) -> None:
    with pytest.raises(ConfigurationError, match="hunter") as unknown:
        parse_national(config_of(name) | {"hunter": "prey-1"})
    assert "prey" not in str(unknown.value)
    with pytest.raises(ConfigurationError, match="kind") as caught:
        parse_national(config_of(name) | {"sign_on": {"kind": "prey-1"}})
    assert "prey" not in str(caught.value)


def test_an_unknown_service_is_named() -> None:
    with pytest.raises(ConfigurationError, match="business"):
        parse_national({"service": "weather"})
