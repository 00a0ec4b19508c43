"""The receiver list of a packet cut down, with every other byte left as it was.

The national axis gets one packet for all its receivers, and its To list must name only those: the
others were served by this bus.  Writing the packet anew would change what the sender signed, so
the To elements are cut out of the bytes.  Where they are is found by a scan for markup, which is
enough for a packet that the reader has accepted (well-formed, UTF-8, no DTD); what each of them
says is asked of the reader, and so is what the cut packet says, before its header leaves.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from schemas.edxml.groups import read_group
from schemas.edxml.model import MESSAGE, NAMESPACE, DocumentPacket, Organ
from schemas.edxml.plan import plan_of
from schemas.edxml.reader import PACKET_LIMITS, PacketLimits, PacketReader
from schemas.edxml.tree import Notes
from schemas.errors import MalformedPacket, TooLarge
from schemas.xml import MAX_TOKEN, parse

_MARKUP = re.compile(
    rb"""<(?: !--.*?--> | !\[CDATA\[.*?\]\]> | \?.*?\?> | (?P<end>/)[^>]*>
    | (?P<name>[^\s!?/>][^\s/>]*+) (?P<rest>(?:[^>"']++|"[^"]*+"|'[^']*+')*+)> )""",
    re.DOTALL | re.VERBOSE,
)
_DECLARED = re.compile(rb"""\sxmlns(?::([^\s=]+))?\s*=\s*("[^"]*"|'[^']*')""")
_PATH = (b"edXML", b"edXMLEnvelope", b"edXMLHeader", b"MessageHeader")
_SPACES = (NAMESPACE.encode(), b"")

Scope = dict[bytes, bytes]
"""Namespace in its quotes by prefix; b"" is the default."""


def cut_recipients(
    packet: Iterable[bytes], organ_ids: Iterable[str], limits: PacketLimits = PACKET_LIMITS
) -> Iterator[bytes]:
    """The packet in pieces, its To list cut to `organ_ids`. Raises as RecipientCut does."""
    cut = RecipientCut(organ_ids, limits)
    for piece in packet:
        if out := cut.feed(piece):
            yield out
    cut.close()


class RecipientCut:
    """Feed the bytes of an accepted document packet; `feed` gives the bytes of the cut one.

    `organ_ids` are the receivers that stay, compared without regard to case.  Raises
    MalformedPacket when one of them is not in the To list, or when this is no packet with such a
    list.  Nothing comes out before the list has been cut, unless the attachments stand in front.
    """

    def __init__(self, organ_ids: Iterable[str], limits: PacketLimits = PACKET_LIMITS) -> None:
        self._keep = {_normal(code) for code in organ_ids}
        self._found: set[str] = set()
        self._limits = limits
        self._proof = PacketReader(limits=limits)
        self._held: list[bytes] = []  # cut, but not given out yet
        self._held_size = 0
        self._done = False
        self._buffer = b""  # not cut yet
        self._scanned = 0  # offset in it
        self._given = 0  # offset in it
        self._to: int | None = None  # offset in it of the To that is open
        self._open: list[_Open] = []  # those on the way to MessageHeader
        self._depth = 0

    def feed(self, data: bytes) -> bytes:
        if self._done:
            return data
        self._buffer += data
        self._scan()
        if self._done:
            self._give(len(self._buffer), prove=False)
        else:
            self._give(self._scanned if self._to is None else self._to)
            self._forget_given()
            if self._held_size <= self._limits.header:
                return b""
        out = b"".join(self._held)
        self._held.clear()
        return out

    def close(self) -> None:
        """Raises MalformedPacket when the packet ended before its To list did."""
        if not self._done:
            raise _refused("MessageHeader", "has no end", "không có phần kết thúc")

    def _scan(self) -> None:
        data = self._buffer
        while not self._done:
            start = data.find(b"<", self._scanned)
            token = _MARKUP.match(data, start) if start >= 0 else None
            if token is None:
                self._scanned = start if start >= 0 else len(data)
                break
            self._scanned = token.end()
            if token["name"]:
                self._started(token)
                if token["rest"].endswith(b"/"):
                    self._ended()
            elif token["end"]:
                self._ended()

    def _started(self, token: re.Match[bytes]) -> None:
        if self._depth == len(self._open) and self._depth <= len(_PATH) and self._to is None:
            scope = _scope(token["rest"], self._open[-1].scope if self._open else {})
            expected = (*_PATH, b"To")[self._depth]
            if _is(token["name"], expected, scope):
                if expected == b"To":
                    self._to = token.start()
                else:
                    self._open.append(_Open(token["name"], scope))
        self._depth += 1

    def _ended(self) -> None:
        self._depth -= 1
        if self._depth == len(_PATH) and self._to is not None:
            self._decide(self._to)
            self._to = None
        elif self._depth < len(self._open):
            if len(self._open) == len(_PATH):
                self._finish()
            self._open.pop()

    def _decide(self, start: int) -> None:
        """Keeps the To between `start` and where the scan is, or leaves it out."""
        code = self._code(self._buffer[start : self._scanned])
        if code in self._keep:
            self._found.add(code)
        else:
            self._give(start)
            self._given = self._scanned

    def _code(self, to: bytes) -> str:
        declared = b"".join(
            b" xmlns%s%s=%s" % (b":" if prefix else b"", prefix, space)
            for prefix, space in self._open[-1].scope.items()
        )
        element = parse(b"<cut%s>%s</cut>" % (declared, to), self._limits)[0]
        organ = read_group(element, plan_of(Organ), f"{MESSAGE}/To", Notes())
        return _normal(str(organ.get("organ_id", "")))

    def _finish(self) -> None:
        """The list is over: what was cut must read as a packet for exactly those receivers."""
        absent = self._keep - self._found
        if absent or not self._keep:
            codes = ", ".join(sorted(absent))
            raise _refused("To", f"does not hold {codes}", f"không có {codes}")
        self._give(self._scanned)
        self._proof.feed(b"".join(b"</%s>" % each.name for each in reversed(self._open[:-1])))
        packet = self._proof.close()
        receivers = packet.header.receivers if isinstance(packet, DocumentPacket) else ()
        if {_normal(each.organ_id) for each in receivers} != self._keep:
            raise _refused("To", "could not be cut", "không cắt được")
        self._done = True

    def _give(self, end: int, *, prove: bool = True) -> None:
        if end > self._given:
            piece = self._buffer[self._given : end]
            self._given = end
            self._held.append(piece)
            self._held_size += len(piece)
            if prove:
                self._proof.feed(piece)

    def _forget_given(self) -> None:
        self._buffer = self._buffer[self._given :]
        self._scanned -= self._given
        if self._to is not None:
            self._to -= self._given
        self._given = 0
        if len(self._buffer) > MAX_TOKEN:
            raise TooLarge(
                f"a tag or a To of more than {MAX_TOKEN:,} bytes",
                vi=f"Một thẻ hoặc một To dài hơn {MAX_TOKEN:,} byte",
                limit=MAX_TOKEN,
                what="token",
            )


@dataclass(frozen=True, slots=True)
class _Open:
    name: bytes  # with its prefix
    scope: Scope


def _scope(attributes: bytes, outer: Scope) -> Scope:
    """The declarations in force within a start tag."""
    if b"xmlns" not in attributes:
        return outer
    return outer | {found[1] or b"": found[2] for found in _DECLARED.finditer(attributes)}


def _is(name: bytes, local: bytes, scope: Scope) -> bool:
    prefix, _, own = name.rpartition(b":")
    return own == local and scope.get(prefix, b'""')[1:-1] in _SPACES


def _normal(code: str) -> str:
    return code.strip().upper()


def _refused(element: str, en: str, vi: str) -> MalformedPacket:
    return MalformedPacket(f"{element} {en}", vi=f"{element} {vi}", element=element)
