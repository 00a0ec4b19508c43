"""What the tests of sign-ons share."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from adapters.signon import PartnerCall

ENVELOPE = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"'
    ' xmlns:dan="http://dancuquocgia.bca">{header}<soapenv:Body>'
    "<dan:TraCuuThongTinCongDan><dan:HoVaTen>NGUYỄN VĂN MẪU</dan:HoVaTen>"
    "</dan:TraCuuThongTinCongDan></soapenv:Body></soapenv:Envelope>"
)


def soap_call(header: str = "", officer: str = "") -> PartnerCall:
    headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '"urn:tra-cuu"'}
    body = ENVELOPE.format(header=header).encode()
    return PartnerCall("http://10.0.0.5/dancu", headers, body, soap=True, officer=officer)


def rest_call(officer: str = "") -> PartnerCall:
    return PartnerCall("http://10.0.0.5/x?id=1", {}, b"", soap=False, officer=officer)


def secrets(**values: str | bytes) -> Callable[[str], bytes]:
    """The resolver of these secrets; names are written with "_" for "-"."""
    known: Mapping[str, bytes] = {
        name.replace("_", "-"): value.encode() if isinstance(value, str) else value
        for name, value in values.items()
    }
    return known.__getitem__
