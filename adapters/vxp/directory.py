"""The axis's directory of agencies (danh bạ đơn vị): read as a stream, registered, removed.

Three lists make it: /getAgenciesList says who is there, /getSynchronizeUnit which of them are
deleted or our own, /getAgenciesListQD20 which code of QĐ 20 replaced which of QCVN 102.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any

import orjson
import structlog

from adapters.vxp.client import AxisClient
from schemas.adapter import ListedAgency
from schemas.errors import ConfigurationError

log = structlog.get_logger(__name__)

HUB = ".W00"
"""Ends the codes of provincial centres: systems that receive no documents."""


async def agencies(client: AxisClient) -> AsyncGenerator[ListedAgency, None]:
    """Row by row; of the whole only the codes that are left out are held.

    Raises PartnerError or ConfigurationError, also when a list breaks off.
    """
    left_out = {
        _text(row, "code")
        async for row in _if_there(client, "getSynchronizeUnit", {})
        if _text(row, "deleted") in {"1", "true"}
        or _text(row, "centerCode") == client.config.systemid
    }
    async with aclosing(client.rows("getAgenciesList", {})) as rows:
        async for row in rows:
            if (found := _listed(row, "oldCode")) and found.code not in left_out:
                yield found
    async for row in _if_there(client, "getAgenciesListQD20", {"level": "1"}):
        if (found := _listed(row, "code102")) and found.aliases and found.code not in left_out:
            yield found


async def register(client: AxisClient, code: str, name: str) -> None:
    """Raises PartnerError or ConfigurationError."""
    fields = {"id": "", "pcode": "", "code": code, "name": name, "mail": ""}
    body = fields | {"mobile": "", "fax": ""}
    await client.call("registerAgency", {}, orjson.dumps(body))


async def remove(client: AxisClient, code: str) -> None:
    """Raises PartnerError or ConfigurationError."""
    await client.call("deleteAgency", {"AgencyCode": code}, b"{}")


async def _if_there(
    client: AxisClient, operation: str, fields: Mapping[str, str]
) -> AsyncIterator[Mapping[str, Any]]:
    """The rows of a list without which the directory is poorer, but good."""
    try:
        async with aclosing(client.rows(operation, fields)) as rows:
            async for row in rows:
                yield row
    except ConfigurationError as error:
        # Wrong credentials refuse the main list, too: it says so.
        log.warning("vxp.list_missing", operation=operation, why=error.detail.en)


def _listed(row: Mapping[str, Any], other: str) -> ListedAgency | None:
    """None for what is no agency."""
    code, name, alias = _text(row, "code"), _text(row, "name"), _text(row, other)
    if not code or code.endswith(HUB):
        return None
    return ListedAgency(code, name, (alias,) if alias not in {"", code} else ())


def _text(row: Mapping[str, Any], field: str) -> str:
    """Trimmed; empty for what is missing, also for the word `null`."""
    value = row.get(field)
    text = "" if value is None else str(value).strip()
    return "" if text == "null" else text
