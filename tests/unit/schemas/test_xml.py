"""The hardened parser: what it reads, what it refuses, and that it never holds a large text."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import LgspError, MalformedXml, TooLarge
from schemas.xml import MAX_DEPTH, MAX_TOKEN, Events, Handler, Limits, parse

Event = tuple[str, str]


class Recorder:
    """Joins neighbouring pieces of text, as their cutting is no one's business."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self.events.append(("start", tag + json.dumps(dict(attributes))))

    def end(self, tag: str) -> None:
        self.events.append(("end", tag))

    def text(self, piece: str) -> None:
        if self.events and self.events[-1][0] == "text":
            piece = self.events.pop()[1] + piece
        self.events.append(("text", piece))


def events_of(data: bytes, piece: int = 7, limits: Limits | None = None) -> list[Event]:
    recorder = Recorder()
    events = Events(recorder, limits or Limits())
    for start in range(0, len(data), piece):
        events.feed(data[start : start + piece])
    events.close()
    return recorder.events


def whole(data: bytes) -> object:
    return parse(data)


BOTH: list[Callable[[bytes], object]] = [whole, events_of]


@pytest.fixture(params=BOTH, ids=["parse", "events"])
def read(request: pytest.FixtureRequest) -> Callable[[bytes], object]:
    function: Callable[[bytes], object] = request.param
    return function


@pytest.mark.parametrize(
    "written", ["&amp;", "&#38;", "&amp;#38;", "&amp;amp;", "&lt;&quot;&#10;", "&#38;#38;&#38;"]
)
def test_attributes_are_the_same_in_pieces_and_whole(written: str) -> None:
    data = f'<a b="x{written}y" c="{written}"/>'.encode()
    (start, _) = events_of(data)
    assert start == ("start", "a" + json.dumps(dict(parse(data).items())))


def test_events_tell_tags_attributes_and_text() -> None:
    data = '<a xmlns="urn:x" b="1"><c>Việt &amp; <![CDATA[<Nam>]]></c><!-- no --></a>'.encode()
    assert events_of(data) == [
        ("start", '{urn:x}a{"b": "1"}'),
        ("start", "{urn:x}c{}"),
        ("text", "Việt & <Nam>"),
        ("end", "{urn:x}c"),
        ("end", "{urn:x}a"),
    ]


def test_syntax_error_says_where(read: Callable[[bytes], object]) -> None:
    with pytest.raises(MalformedXml) as caught:
        read(b"<a>\n  <b>\n</a>")
    assert caught.value.context["line"] == 3
    assert "line 3, column" in caught.value.detail.en
    assert "Dòng 3, cột" in caught.value.detail.vi


@pytest.mark.parametrize("data", [b"", b"   ", b"<a>", b"<a", b"plain text", b"<a/>tail"])
def test_unfinished_or_not_xml(read: Callable[[bytes], object], data: bytes) -> None:
    with pytest.raises(MalformedXml):
        read(data)


def test_depth_limit_is_the_same_in_both(read: Callable[[bytes], object]) -> None:
    read(b"<a>" * MAX_DEPTH + b"</a>" * MAX_DEPTH)
    with pytest.raises(TooLarge) as caught:
        read(b"<a>" * (MAX_DEPTH + 1) + b"</a>" * (MAX_DEPTH + 1))
    assert caught.value.context == {"limit": MAX_DEPTH, "what": "depth"}


@pytest.mark.parametrize(
    ("limits", "what"),
    [
        (Limits(size=20), "size"),
        (Limits(elements=3), "elements"),
        (Limits(attributes=2), "attributes"),
    ],
)
def test_limits(limits: Limits, what: str) -> None:
    data = b'<a b="" c="" d=""><e/><e/><e/></a>'
    for refuses in (lambda: parse(data, limits), lambda: events_of(data, limits=limits)):
        with pytest.raises(TooLarge) as caught:
            refuses()
        assert caught.value.context["what"] == what


def test_signs_in_text_do_not_count_as_attributes() -> None:
    assert parse(b"<a>" + b"=" * 50 + b"</a>", Limits(attributes=2)).text == "=" * 50


def test_large_attribute_is_read(read: Callable[[bytes], object]) -> None:
    read(b'<a b="' + b"x" * 2_000_000 + b'"/>')


def test_huge_attribute_is_refused_before_it_is_held() -> None:
    events = Events(Recorder(), Limits(size=1_000_000_000))
    events.feed(b'<a b="')
    fed = 0

    def feed_for_ever() -> None:
        nonlocal fed
        while fed < 3 * MAX_TOKEN:
            events.feed(b"x" * 65_536)
            fed += 65_536

    with pytest.raises(TooLarge) as caught:
        feed_for_ever()
    assert caught.value.context["what"] == "token"
    assert fed < MAX_TOKEN + 2 * 65_536


def test_flood_of_warnings_hides_no_error(read: Callable[[bytes], object]) -> None:
    flood = b"<b xmlns='relative'/>" * 5_000
    read(b"<a>" + flood + b"</a>")
    with pytest.raises(MalformedXml, match="prefix x on y"):
        read(b"<a>" + flood + b"<x:y/></a>")


def test_errors_of_the_handler_come_out() -> None:
    class Refuses(Recorder):
        def end(self, tag: str) -> None:
            raise TooLarge(tag)

    handler: Handler = Refuses()
    events = Events(handler)
    with pytest.raises(TooLarge, match="a"):
        events.feed(b"<a/>" + b" " * 600)


def test_line_of_the_present_event() -> None:
    lines: dict[str, int] = {}

    class Lines(Recorder):
        def start(self, tag: str, attributes: Mapping[str, str]) -> None:
            super().start(tag, attributes)
            lines[tag] = events.line

    events = Events(Lines())
    events.feed(b'<?xml version="1.0"?>\n<!--\n-->\n<a>\n<b/>x\n<!--\n--><?p x\n?><c/></a>')
    events.close()
    assert lines == {"a": 4, "b": 5, "c": 8}


MEMORY = """
import resource
from schemas.xml import Events, Limits
class Counter:
    size = longest = 0
    def start(self, tag, attributes): pass
    def end(self, tag): pass
    def text(self, piece):
        self.size += len(piece)
        self.longest = max(self.longest, len(piece))
counter = Counter()
events = Events(counter, Limits(size=10**9))
events.feed(b"<a>" + b" " * 1000 + b"<b>")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
piece = b"QUJD" * 16_384
for _ in range(1_024):
    events.feed(piece)
events.feed(b"</b></a>")
events.close()
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(counter.size - 1000, counter.longest, grown)
"""


def test_text_of_64_mb_in_flat_memory() -> None:
    done = subprocess.run(
        [sys.executable, "-c", MEMORY],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        cwd=Path(__file__).parents[3],
    )
    size, longest, grown_kib = map(int, done.stdout.split())
    assert size == 1_024 * 65_536
    assert longest <= 65_536
    assert grown_kib < 8_000


TAGS = [
    "<a:a:a/>",
    "<b a:a:a=''/>",
    "<a>",
    "</a>",
    "<b c='1'>",
    "</b>",
    "<x:y/>",
    "<b xmlns:x='urn:x'>",
    "<!DOCTYPE a>",
]
MARKUP = ["&lt;", "&x;", "]]>", "<!--", "-->", "<![CDATA[", "<?p?>"]
TEXTS = ["text", "\n", "\ufeff", "é", "\x00", "="]
PIECES = st.sampled_from(TAGS + MARKUP + TEXTS)


def outcome(read: Callable[[bytes], object], data: bytes) -> str:
    try:
        read(data)
    except LgspError as error:
        return type(error).__name__
    return "read"


@settings(max_examples=300, deadline=None, database=None)
@given(st.lists(PIECES, max_size=12), st.integers(1, 40))
def test_both_ways_refuse_the_same(parts: list[str], piece: int) -> None:
    data = f"<a>{''.join(parts)}</a>".encode()
    assert outcome(parse, data) == outcome(lambda d: events_of(d, piece), data)


@settings(max_examples=200, deadline=None, database=None)
@given(st.binary(max_size=60))
def test_any_bytes_give_only_our_errors(data: bytes) -> None:
    assert outcome(parse, data) == outcome(events_of, data) in {"read", "MalformedXml", "TooLarge"}
