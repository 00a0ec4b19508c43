"""JSON text without loss: numbers with a fraction are `Decimal`, not binary fractions."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import orjson

from bus.gateway.translate.failure import Mismatch


def read(data: bytes) -> Any:
    """Raises Mismatch."""
    try:
        return json.loads(data.decode("utf-8-sig"), parse_float=Decimal, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise Mismatch("json", "not JSON in UTF-8", "không phải JSON dạng UTF-8") from None


def write(value: Any) -> bytes:
    """Raises Mismatch for what JSON cannot hold (a lone surrogate)."""
    try:
        return orjson.dumps(_exact(value), default=_default)
    except (TypeError, RecursionError):
        raise Mismatch("json", "cannot be written as JSON", "không ghi được thành JSON") from None


def _exact(value: Any) -> Any:
    """`orjson` refuses integers beyond 64 bits: they go by the text, like decimals."""
    if type(value) is int and not -(2**63) <= value < 2**64:
        return Decimal(value)
    if isinstance(value, list):
        return [_exact(each) for each in value]
    if isinstance(value, dict):
        return {key: _exact(each) for key, each in value.items()}
    return value


def _default(value: object) -> object:
    if isinstance(value, Decimal):
        return orjson.Fragment(str(value).encode())
    raise TypeError


def _no_number(_text: str) -> None:
    raise ValueError
