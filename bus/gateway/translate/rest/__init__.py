"""The way back: a JSON service described by OpenAPI, served as SOAP. Pure, like the rest."""

from __future__ import annotations

from bus.gateway.translate.rest.contract import RestContract, compile_openapi
from bus.gateway.translate.rest.operation import HttpCall, RestOperation

__all__ = ["HttpCall", "RestContract", "RestOperation", "compile_openapi"]
