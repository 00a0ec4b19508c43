"""Names: namespaces of the standards, and names in Clark notation (`{namespace}local`)."""

from __future__ import annotations

from lxml import etree

from bus.gateway.translate.failure import bad_contract

XSD = "http://www.w3.org/2001/XMLSchema"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
WSDL = "http://schemas.xmlsoap.org/wsdl/"
WSDL_SOAP11 = "http://schemas.xmlsoap.org/wsdl/soap/"
WSDL_SOAP12 = "http://schemas.xmlsoap.org/wsdl/soap12/"
WSDL_MIME = "http://schemas.xmlsoap.org/wsdl/mime/"
ENV11 = "http://schemas.xmlsoap.org/soap/envelope/"
ENV12 = "http://www.w3.org/2003/05/soap-envelope"
ENC11 = "http://schemas.xmlsoap.org/soap/encoding/"
ENC12 = "http://www.w3.org/2003/05/soap-encoding"
WSA = "http://www.w3.org/2005/08/addressing"
XOP = "http://www.w3.org/2004/08/xop/include"
XMLMIME = "http://www.w3.org/2005/05/xmlmime"
XML = "http://www.w3.org/XML/1998/namespace"

Tag = str | bytes | bytearray | etree.QName  # what lxml's stubs say of a name; always str here

XSI_TYPE = f"{{{XSI}}}type"
XSI_NIL = f"{{{XSI}}}nil"


def clark(namespace: str | None, local: str) -> str:
    return f"{{{namespace}}}{local}" if namespace else local


def split(tag: Tag) -> tuple[str, str]:
    """`{namespace}local` → (namespace or "", local)."""
    name = str(tag)
    if name.startswith("{"):
        namespace, _, local = name[1:].partition("}")
        return namespace, local
    return "", name


def local(tag: Tag) -> str:
    return str(tag).rpartition("}")[2]


def resolve(text: str, node: etree._Element, *, default: str | None = None) -> str:
    """A QName as written in a document (`tns:Name`), by the prefixes in scope at `node`.

    `default` is the namespace of a name without prefix where no default namespace is declared
    (chameleon includes).  Raises InvalidContract for a prefix that is not declared.
    """
    prefix, colon, name = text.strip().rpartition(":")
    if not colon:
        return clark(node.nsmap.get(None) or default, name)
    if prefix == "xml":
        return clark(XML, name)
    if prefix not in node.nsmap:
        raise bad_contract(
            f"prefix {prefix} of {text.strip()} is not declared",
            vi=f"Tiền tố {prefix} của {text.strip()} chưa khai báo",
            line=node.sourceline or 0,
        )
    return clark(node.nsmap[prefix], name)
