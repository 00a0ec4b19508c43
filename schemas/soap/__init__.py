"""The SOAP contract of the bus: one WSDL, written by hand, versioned by its namespace.

What is published does not change under its namespace, save for optional elements at the end of a
sequence; anything else is a new namespace beside the old one.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from xml.sax.saxutils import escape

NAMESPACE = "urn:lgsp:documents:1"
_PLACE = b"https://lgsp.example/soap/documents"


def wsdl(address: str) -> bytes:
    """The WSDL 1.1 document, with `address` as the place of its service."""
    quoted = escape(address, {'"': "&quot;"}).encode()
    return _written().replace(_PLACE, quoted)


@lru_cache(maxsize=1)
def _written() -> bytes:
    return files(__name__).joinpath("documents.wsdl").read_bytes()
