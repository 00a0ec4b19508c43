"""Translation between SOAP and JSON, compiled from WSDL and XSD. Pure: no network, no files."""

from __future__ import annotations

from bus.gateway.translate.contract import Contract, Operation, Port, Service, compile_wsdl
from bus.gateway.translate.faults import ServiceFault
from bus.gateway.translate.message import Message, Wire

__all__ = [
    "Contract",
    "Message",
    "Operation",
    "Port",
    "Service",
    "ServiceFault",
    "Wire",
    "compile_wsdl",
]
