"""SOAP answers signed as a partner would: by zeep and xmlsec, which the bus does not use for it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import xmlsec
from lxml import etree
from zeep.wsse import signature

from adapters.signon.envelope import WSSE, WSU

zeep_sign: Any = signature  # zeep is untyped


def signed_by(
    files: tuple[Path, Path],
    answer: bytes,
    *,
    timestamp: bool = True,
    body: bool = True,
    created: int = 0,
    expires: int = 300,
    signature_method: Any = xmlsec.constants.TransformRsaSha256,
    digest_method: Any = xmlsec.constants.TransformSha256,
) -> etree._Element:
    """The answer with what its partner puts into the header: times in seconds from now."""
    root = etree.fromstring(answer)
    soap = etree.QName(root).namespace
    header = root.find(f"{{{soap}}}Header")
    assert header is not None
    security = etree.SubElement(header, f"{{{WSSE}}}Security")
    if timestamp:
        now = dt.datetime.now(dt.UTC)
        stamp = etree.SubElement(security, f"{{{WSU}}}Timestamp")
        for name, seconds in (("Created", created), ("Expires", expires)):
            moment = now + dt.timedelta(seconds=seconds)
            etree.SubElement(stamp, f"{{{WSU}}}{name}").text = f"{moment:%Y-%m-%dT%H:%M:%SZ}"
    parts = root[-1]
    if not body:  # a Body that is not signed: what is signed stands elsewhere
        root.remove(parts)
        etree.SubElement(root, f"{{{soap}}}Body")
    certificate, key = files
    maker = zeep_sign.BinarySignature(
        str(key), str(certificate), None, signature_method, digest_method
    )
    maker.apply(root, {})
    if not body:
        signed = root[-1]
        root.replace(signed, parts)
        header.append(signed)
    return etree.fromstring(etree.tostring(root))  # lxml does not find what xmlsec added
