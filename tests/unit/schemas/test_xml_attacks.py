"""Attack vectors: every file of tests/vectors/xml_attacks is refused by both ways of parsing."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping
from pathlib import Path

import pytest

from schemas.errors import MalformedXml, TooLarge
from schemas.xml import Events, parse

VECTORS = Path(__file__).parents[2] / "vectors" / "xml_attacks"
ATTACKS = sorted(p for p in VECTORS.glob("*.xml") if not p.name.startswith("harmless"))
HARMLESS = sorted(VECTORS.glob("harmless_*.xml"))
TOO_LARGE = {"deep_nesting.xml"}

REASONS = {
    "doctype": {"xxe_", "external_dtd", "public_dtd", "billion", "quadratic", "attribute_blowup"}
    | {"default_attribute", "doctype_after"},
    "encoding": {"utf16", "utf32", "declared_utf16", "declared_utf7", "declared_windows"},
    "stray-bytes": {"stray_digits", "space_before"},
}


class Text:
    def __init__(self) -> None:
        self.text_seen = ""

    def start(self, tag: str, attributes: Mapping[str, str]) -> None: ...
    def end(self, tag: str) -> None: ...
    def text(self, piece: str) -> None:
        self.text_seen += piece


def stream(data: bytes, piece: int) -> str:
    handler = Text()
    events = Events(handler)
    for start in range(0, len(data), piece):
        events.feed(data[start : start + piece])
    events.close()
    return handler.text_seen


def test_the_vectors_are_there() -> None:
    assert len(ATTACKS) >= 25
    assert len(HARMLESS) >= 3


@pytest.mark.parametrize("path", ATTACKS, ids=lambda p: p.stem)
def test_attack_is_refused(path: Path) -> None:
    data = path.read_bytes()
    expected = TooLarge if path.name in TOO_LARGE else MalformedXml
    reasons = [r for r, names in REASONS.items() if any(path.name.startswith(n) for n in names)]
    with pytest.raises(expected) as caught:
        parse(data)
    if reasons:
        assert caught.value.context["reason"] == reasons[0]
    for piece in (1, 1000, len(data)):
        with pytest.raises(expected) as caught:
            stream(data, piece)
        if reasons:
            assert caught.value.context["reason"] == reasons[0]


@pytest.mark.parametrize("path", HARMLESS, ids=lambda p: p.stem)
def test_harmless_is_read(path: Path) -> None:
    data = path.read_bytes()
    text = "".join(str(part) for part in parse(data).itertext())
    assert stream(data, 1) == stream(data, len(data)) == text


@pytest.mark.parametrize(
    "document",
    [
        '<!DOCTYPE a SYSTEM "http://127.0.0.1:{port}/a.dtd"><a/>',
        '<!DOCTYPE a [<!ENTITY x SYSTEM "http://127.0.0.1:{port}/x">]><a>&x;</a>',
        '<?xml-stylesheet href="http://127.0.0.1:{port}/x.xsl"?><a/>',
        '<i:include xmlns:i="http://www.w3.org/2001/XInclude" href="http://127.0.0.1:{port}/x"/>',
    ],
)
def test_nothing_is_fetched(document: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        data = document.format(port=server.getsockname()[1]).encode()
        for read in (parse, lambda d: stream(d, 50)):
            with contextlib.suppress(MalformedXml):
                read(data)
        with pytest.raises(BlockingIOError):
            server.accept()
