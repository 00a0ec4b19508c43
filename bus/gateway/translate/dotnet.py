"""What .NET services declare more strictly than they are: DataSet and XmlNode.

A DataSet is `<xs:element ref="xs:schema"/><xs:any/>`, a schema and the rows that it describes;
an XmlNode is mixed content of one `<xs:any/>`.  No document declares `xs:schema`, and what comes
in place of `any` (a `diffgram`, any XML) is declared nowhere either, though `any` alone asks for
that.  .NET itself does not look; so these wildcards take what comes.
"""

from __future__ import annotations

from lxml import etree

from bus.gateway.translate.names import XSD, clark

_ANY, _OCCURS = clark(XSD, "any"), ("minOccurs", "maxOccurs")


def open_up(root: etree._Element) -> None:
    """Rewrites the DataSets and XmlNodes of a schema document in place."""
    for node in list(root.iter(clark(XSD, "element"))):
        parent = node.getparent()
        if parent is not None and _means_schema(node):
            schema = etree.Element(_ANY, namespace=XSD, processContents="skip")
            for name in _OCCURS:
                schema.set(name, node.get(name, "1"))
            parent.replace(node, schema)
            _loosen(parent)
    for kind in root.iter(clark(XSD, "complexType")):
        groups = [[each.tag for each in group] for group in kind]
        if kind.get("mixed") in {"true", "1"} and groups == [[_ANY]]:
            _loosen(kind[0])


def _means_schema(node: etree._Element) -> bool:
    prefix, _, name = node.get("ref", "").strip().rpartition(":")
    return name == "schema" and node.nsmap.get(prefix or None) == XSD


def _loosen(group: etree._Element) -> None:
    for wildcard in group.iterchildren(_ANY):
        if wildcard.get("processContents", "strict") == "strict":
            wildcard.set("processContents", "lax")
