"""The SOAP door (1.1 and 1.2) for systems that speak nothing else. Contract: schemas/soap."""

from __future__ import annotations

from bus.gateway.soap.endpoint import PATH, SoapDocuments, read_wsdl
from bus.gateway.soap.faults import MustUnderstand, VersionMismatch, refuse

__all__ = [
    "PATH",
    "MustUnderstand",
    "SoapDocuments",
    "VersionMismatch",
    "read_wsdl",
    "refuse",
]
