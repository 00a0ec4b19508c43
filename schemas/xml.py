"""The one XML parser of the project: hardened, on one policy, whole or in pieces.

Policy: UTF-8 only (a byte order mark is put up with), no DTD and so no entities beyond the five
predefined ones, nothing fetched, and explicit limits.  Comments and processing instructions are
dropped.  `parse` gives a tree of a small document; `Events` hands a document of any size to a
handler in pieces and keeps nothing.  No other module may create an lxml parser.

Both refuse the same documents; where libxml2 already has a limit in tree mode (depth, length of
one token) `Events` enforces the same number by itself, because libxml2 does not in target mode.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from lxml import etree

from schemas.errors import MalformedXml, TooLarge

MAX_DEPTH = 256  # libxml2's xmlParserMaxDepth without XML_PARSE_HUGE
MAX_TOKEN = 10_000_000  # bytes of one tag, comment or instruction: libxml2's XML_MAX_TEXT_LENGTH

_PIECE = 65_536
_HEAD = 512  # an XML declaration and what may stand before it fit well within
_BOM = b"\xef\xbb\xbf"
_SPACE = b" \t\r\n"
_DECLARED = re.compile(rb"<\?xml\s[^>]{0,200}?encoding\s*=\s*[\"']([^\"']{0,40})[\"']")
_PROLOG = re.compile(rb"(?:\s|<!--(?:(?!-->).)*+-->|<\?(?:(?!\?>).)*+\?>)*+", re.DOTALL)
_UTF8 = {b"utf-8", b"utf8", b"us-ascii", b"ascii"}
_RESOURCE_LIMIT = 114  # libxml2 XML_ERR_RESOURCE_LIMIT


@dataclass(frozen=True, slots=True)
class Limits:
    """What one document may cost. Depth and token length are fixed: MAX_DEPTH, MAX_TOKEN."""

    size: int = 8_000_000  # bytes
    elements: int = 100_000  # with comments and processing instructions, which are dropped
    attributes: int = 100_000  # of all elements together


DEFAULT_LIMITS = Limits()


class Handler(Protocol):
    """What `Events` tells of a document. Tags are in Clark notation, `{namespace}name`."""

    def start(self, tag: str, attributes: Mapping[str, str]) -> None: ...
    def end(self, tag: str) -> None: ...
    def text(self, piece: str) -> None:
        """A piece of character data, at most 64 KiB; one text may come in many."""
        ...


def parse(data: bytes, limits: Limits = DEFAULT_LIMITS) -> etree._Element:
    """The root element of a small whole document.

    Raises MalformedXml (with line, column and reason) or TooLarge.
    """
    if len(data) > limits.size:
        raise _too_large("size", limits.size)
    body = _checked_start(data)
    if _needs_count(body, limits):
        _count(body, limits)
    try:
        return etree.fromstring(body, _TREE_PARSER)
    except etree.XMLSyntaxError as error:
        raise _translated(error) from None


class Events:
    """Incremental parser with flat memory: `feed` pieces, then `close`.

    Errors are those of `parse`, plus whatever the handler raises; after one the object is of no
    further use.
    """

    def __init__(self, handler: Handler, limits: Limits = DEFAULT_LIMITS) -> None:
        self._target = _Target(handler, limits)
        target: Any = self._target  # has no start_ns or end_ns, on purpose
        self._parser: Any = etree.XMLParser(
            target=target,
            encoding="utf-8",
            resolve_entities=False,
            load_dtd=False,
            no_network=True,
            huge_tree=False,
        )
        self._limits = limits
        self._head: bytes | None = b""
        self._size = 0

    @property
    def line(self) -> int:
        """Line of the present event: exact unless a tag itself is broken over lines."""
        return self._target.line

    def feed(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > self._limits.size:
            raise _too_large("size", self._limits.size)
        if self._head is not None:
            self._head += data
            if len(self._head) < _HEAD:
                return
            data = self._begin(self._head)
        self._push(data)

    def close(self) -> None:
        if self._head is not None:
            self._push(self._begin(self._head))
        with self._translating():
            self._parser.close()

    def _begin(self, head: bytes) -> bytes:
        self._head = None
        body = _checked_start(head)
        self._target.line += _prolog_of(body).count(b"\n")
        return body

    def _push(self, data: bytes) -> None:
        for piece in _pieces(data):
            self._target.silent += len(piece)
            with self._translating():
                self._parser.feed(piece)
            if self._target.silent > MAX_TOKEN:
                raise _too_large("token", MAX_TOKEN)

    @contextmanager
    def _translating(self) -> Iterator[None]:
        try:
            yield
        except etree.XMLSyntaxError as error:
            raise _translated(error) from None
        except Exception:
            self._refuse_namespace_errors()  # they may be what the handler stumbled over
            raise
        self._refuse_namespace_errors()

    def _refuse_namespace_errors(self) -> None:
        """libxml2 only logs an undeclared prefix in target mode; in tree mode it raises."""
        for entry in self._parser.feed_error_log:  # libxml2 logs at most 100 of each level
            if entry.level >= etree.ErrorLevels.ERROR:
                raise _malformed(entry.line, entry.column, entry.message)


class _Target:
    """lxml's parser target: counts, refuses a DTD, passes the rest on."""

    def __init__(self, handler: Handler, limits: Limits) -> None:
        self._handler = handler
        self._limits = limits
        self._depth = self._counted = self._attributes = 0
        self._begun = False
        self.line = 1
        self.silent = 0  # bytes fed since the last event: the length of an unfinished token

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self._count()
        self._begun = True
        self._depth += 1
        self._attributes += len(attributes)
        if self._depth > MAX_DEPTH:
            raise _too_large("depth", MAX_DEPTH)
        if self._attributes > self._limits.attributes:
            raise _too_large("attributes", self._limits.attributes)
        if attributes:  # libxml2 leaves an ampersand as &#38; while it resolves no entities
            attributes = {name: value.replace("&#38;", "&") for name, value in attributes.items()}
        self._handler.start(tag, attributes)

    def end(self, tag: str) -> None:
        self.silent = 0
        self._depth -= 1
        self._handler.end(tag)

    def data(self, piece: str) -> None:
        self.silent = 0
        self._handler.text(piece)
        self.line += piece.count("\n")

    def comment(self, text: str) -> None:
        self._skip(text)

    def pi(self, _target: str, data: str | None = None) -> None:
        self._skip(data or "")

    def _skip(self, text: str) -> None:
        self._count()
        if self._begun:  # those of the prolog are counted before the parser starts
            self.line += text.count("\n")

    def _count(self) -> None:
        self.silent = 0
        self._counted += 1
        if self._counted > self._limits.elements:
            raise _too_large("elements", self._limits.elements)

    def doctype(self, *_parts: str | None) -> None:
        raise _doctype()

    def close(self) -> None:
        """Called by lxml at the end and after an error; there is nothing to give back."""


class _Nothing:
    """A handler for documents that only have to be counted."""

    def start(self, tag: str, attributes: Mapping[str, str]) -> None: ...
    def end(self, tag: str) -> None: ...
    def text(self, piece: str) -> None: ...


_TREE_PARSER: etree.XMLParser[etree._Element] = etree.XMLParser(
    encoding="utf-8",
    resolve_entities=False,
    load_dtd=False,
    no_network=True,
    huge_tree=False,
    remove_comments=True,
    remove_pis=True,
    collect_ids=False,
)


def _needs_count(body: bytes, limits: Limits) -> bool:
    """Cheap upper bounds first: only what may exceed a limit or carry a DTD is counted exactly."""
    size = len(body)  # no element is shorter than <a/>, no attribute than a=""
    return (
        (size > 4 * limits.elements and body.count(b"<") > limits.elements)
        or (size > 4 * limits.attributes and body.count(b"=") > limits.attributes)
        or b"<!DOCTYPE" in body
    )


def _count(body: bytes, limits: Limits) -> None:
    events = Events(_Nothing(), limits)
    events.feed(body)
    events.close()


def _pieces(data: bytes) -> Iterator[bytes]:
    if len(data) <= _PIECE:
        yield data
        return
    for start in range(0, len(data), _PIECE):
        yield data[start : start + _PIECE]


def _prolog_of(body: bytes) -> bytes:
    found = _PROLOG.match(body)
    return found[0] if found else b""


def _checked_start(data: bytes) -> bytes:
    """`data` without byte order mark, once its first bytes are those of UTF-8 XML."""
    if b"\0" in data[:2] or data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise _encoding("UTF-16/UTF-32")
    body = data.removeprefix(_BOM)
    _refuse_stray_bytes(body[:_HEAD])
    declared = _DECLARED.match(body)
    if declared and declared[1].lower() not in _UTF8:
        raise _encoding(declared[1].decode("ascii", "replace"))
    return body


def _refuse_stray_bytes(head: bytes) -> None:
    before, opening, _ = head.partition(b"<")
    if not before.strip(_SPACE):
        declared_late = before and head.startswith(b"<?xml ", len(before))
        if not declared_late:
            return
    if not opening and not head.strip(_SPACE):
        return  # empty: the parser says so
    raise MalformedXml(
        f"{len(before)} stray bytes before the XML declaration or the first element",
        vi=f"Có {len(before)} byte thừa trước khai báo XML hoặc phần tử đầu tiên",
        line=1,
        column=1,
        reason="stray-bytes",
    )


def _encoding(name: str) -> MalformedXml:
    return MalformedXml(
        f"encoding {name}: only UTF-8 is accepted",
        vi=f"Bảng mã {name}: chỉ nhận UTF-8",
        line=1,
        column=1,
        reason="encoding",
    )


def _doctype() -> MalformedXml:
    return MalformedXml(
        "a document type declaration (DOCTYPE) is not accepted",
        vi="Không nhận khai báo DOCTYPE",
        reason="doctype",
    )


def _too_large(what: str, limit: int) -> TooLarge:
    return TooLarge(
        f"XML beyond the limit of {what}: {limit:,}",
        vi=f"XML vượt giới hạn {what}: {limit:,}",
        limit=limit,
        what=what,
    )


def _translated(error: etree.XMLSyntaxError) -> MalformedXml | TooLarge:
    if error.code == _RESOURCE_LIMIT:
        if "depth" in str(error.msg):
            return _too_large("depth", MAX_DEPTH)
        return _too_large("token", MAX_TOKEN)
    line, column = error.position
    return _malformed(line or 0, column or 0, str(error.msg).split(", line ")[0])


def _malformed(line: int, column: int, reason: str) -> MalformedXml:
    return MalformedXml(
        f"line {line}, column {column}: {reason[:200]}",
        vi=f"Dòng {line}, cột {column}: {reason[:200]}",
        line=line,
        column=column,
        reason="syntax",
    )


def compile_schemas(documents: Mapping[str, bytes], main: str) -> etree.XMLSchema:
    """An XML Schema validator of documents that refer to each other by the names given.

    Nothing else is read: a reference to any other name fails.  Raises etree.XMLSchemaParseError
    for what libxml2 cannot compile.
    """
    parser: etree.XMLParser[etree._Element] = etree.XMLParser(
        encoding="utf-8", resolve_entities=False, load_dtd=False, no_network=True
    )
    parser.resolvers.add(_Given(documents))
    root = etree.fromstring(documents[main], parser, base_url=main)
    return etree.XMLSchema(root)


class _Given(etree.Resolver):
    """Answers with the documents given, and for all others with an empty one."""

    def __init__(self, documents: Mapping[str, bytes]) -> None:
        self._documents = documents

    def resolve(self, system_url: str | None, public_id: str | None, context: Any) -> Any:  # noqa: ARG002
        return self.resolve_string(
            self._documents.get(system_url or "", b"<missing/>"), context, base_url=system_url
        )


def simple_type_matcher(patterns: list[str]) -> Callable[[str], bool]:
    """Whether a text matches one of these XSD patterns, by libxml2's own engine.

    Raises etree.XMLSchemaParseError for a pattern that it cannot compile.
    """
    facets = "".join(f'<xs:pattern value="{_quoted(each)}"/>' for each in patterns)
    schema = compile_schemas(
        {"memory:pattern": _PATTERN_SCHEMA.format(facets).encode()}, "memory:pattern"
    )

    def matches(text: str) -> bool:
        element = etree.Element("v")
        try:
            element.text = text
        except ValueError:  # a character that XML does not have
            return False
        return bool(schema.validate(element))

    return matches


_PATTERN_SCHEMA = (
    '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="v"><xs:simpleType>'
    '<xs:restriction base="xs:string">{}</xs:restriction></xs:simpleType></xs:element></xs:schema>'
)


def _quoted(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
