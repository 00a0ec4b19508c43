"""Elements that no schema describes (wildcards): everything kept, nothing typed.

`"text"`, or `{"@name": "…", "#content": ["text", {"{namespace}name": …}]}`.  Prefixes that text
or attributes may mean (`p:name`) are kept as `#ns` on the outermost element.
"""

from __future__ import annotations

import re

from lxml import etree

from bus.gateway.translate.failure import Mismatch
from bus.gateway.translate.names import XSI_TYPE, split
from bus.gateway.translate.simple import Namespaces, json_kind
from bus.gateway.translate.text import attribute_text, element_text

_TYPE = f"@{XSI_TYPE}"
_NAME = re.compile(r"[^\W\d][\w.\-·]*")
_PREFIXED = re.compile(r"(?<![\w.\-])([^\W\d][\w.\-]*):[^\W\d]")


def read_item(el: etree._Element) -> dict[str, object]:
    value = read(el)
    meant = _prefixes(el)
    if meant:
        if not isinstance(value, dict):
            value = {"#content": [value] if value else []}
        value["#ns"] = meant
    return {str(el.tag): value}


def read(el: etree._Element) -> str | dict[str, object]:
    if not len(el) and not el.attrib:
        return el.text or ""
    out: dict[str, object] = {f"@{name}": value for name, value in el.items()}
    content: list[object] = [el.text] if el.text else []
    for child in el:
        content.append({str(child.tag): read(child)})
        if child.tail:
            content.append(child.tail)
    if content:
        out["#content"] = content
    return out


def _prefixes(el: etree._Element) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in el.iter():
        texts = [each.text, each.tail if each is not el else None, *each.attrib.values()]
        for text in texts:
            if text and ":" in text:
                for prefix in _PREFIXED.findall(text):
                    if prefix in each.nsmap and prefix != "xml":
                        found[prefix] = each.nsmap[prefix]
    return found


def write(
    name: str, value: object, out: list[str], namespaces: Namespaces, *, top: bool = True
) -> None:
    tag = _tag(name, namespaces)
    if isinstance(value, str):
        out.append(f"<{tag}>{element_text(value)}</{tag}>")
        return
    if not isinstance(value, dict):
        raise Mismatch(
            "any",
            f"a string or object is expected, not {json_kind(value)}",
            "cần chuỗi hoặc đối tượng JSON",
        )
    out.append(f"<{tag}")
    content: object = []
    for key, each in value.items():
        if key == "#content":
            content = each
        elif key == "#ns" and top:
            out.append(_declared(each))
        elif key.startswith("@") and isinstance(each, str):
            clark = key == _TYPE and each.startswith("{")  # of SOAP encoding: see encoded.py
            text = _tag(each, namespaces) if clark else attribute_text(each)
            out.append(f' {_tag(key[1:], namespaces)}="{text}"')
        else:
            raise Mismatch("any", "unknown member", "trường không hợp lệ").at(key)
    out.append(">")
    _content(content, out, namespaces)
    out.append(f"</{tag}>")


def _content(content: object, out: list[str], namespaces: Namespaces) -> None:
    if not isinstance(content, list):
        raise Mismatch("any", "a list is expected", "cần một mảng").at("#content")
    for index, item in enumerate(content):
        if isinstance(item, str):
            out.append(element_text(item))
        elif isinstance(item, dict) and len(item) == 1:
            name, value = next(iter(item.items()))
            try:
                write(name, value, out, namespaces, top=False)
            except Mismatch as error:
                raise error.at(name).at(index).at("#content") from None
        else:
            raise (
                Mismatch(
                    "any",
                    "text or an object of one element is expected",
                    "cần chữ hoặc đối tượng một phần tử",
                )
                .at(index)
                .at("#content")
            )


def _declared(value: object) -> str:
    if not isinstance(value, dict):
        raise Mismatch("any", "an object is expected", "cần một đối tượng JSON").at("#ns")
    found = ""
    for prefix, namespace in value.items():
        if (
            not _NAME.fullmatch(prefix)
            or prefix.startswith("xml")
            or not isinstance(namespace, str)
        ):
            raise Mismatch(
                "any", "not a prefix and a namespace", "không phải tiền tố và không gian tên"
            ).at("#ns")
        found += f' xmlns:{prefix}="{attribute_text(namespace)}"'
    return found


def _tag(name: str, namespaces: Namespaces) -> str:
    namespace, plain = split(name)
    if not _NAME.fullmatch(plain):
        raise Mismatch("any", "not a name of XML", "không phải tên XML")
    return f"{namespaces.prefix(namespace)}:{plain}" if namespace else plain
