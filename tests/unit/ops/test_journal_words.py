"""Every event that the code writes into the journal has its line, in both languages."""

from __future__ import annotations

import ast
import string

import pytest

from bus.ledger.records import JournalRow
from bus.ops.journal_words import LINES, tell
from tests.unit.ops import journalled

WRITTEN = journalled.events()


def row(event: str, **data: object) -> JournalRow:
    return JournalRow(
        chain="c",
        seq=1,
        at=0,
        event=event,
        message_id=None,
        delivery_id=None,
        actor="client:x",
        data=data,
    )


def test_every_event_that_is_written_has_words() -> None:
    without = {event: files for event, files in WRITTEN.items() if event not in LINES}
    assert not without, "give them a line in bus/ops/journal_words.py"


def test_no_line_is_of_an_event_that_nobody_writes() -> None:
    assert not LINES.keys() - WRITTEN.keys()


def test_the_search_finds_what_is_written_in_each_way() -> None:
    """By a literal, a choice, a constant of another module, a parameter, a table, a state."""
    assert {
        "trial-sent",
        "endpoint-paused",
        "alert-silence-ended",
        "accesses-read",
        "console-logout",
        "personal-data-revealed",
        "expired",
    } <= WRITTEN.keys()


def test_an_event_that_cannot_be_followed_is_no_silence() -> None:
    code = "async def f(ledger, row):\n    await ledger.note(row.kind(), actor='x', data={})\n"
    module = journalled.Module(journalled.ROOT / "bus/made_up.py", ast.parse(code))
    with pytest.raises(journalled.Untraced, match=r"row\.kind"):
        list(journalled.of_module(module))


@pytest.mark.parametrize("event", sorted(LINES))
def test_a_line_is_whole_in_both_languages_with_and_without_data(event: str) -> None:
    line = LINES[event]
    names = [{part[1] for part in string.Formatter().parse(text) if part[1]} for text in line.text]
    assert names[0] == names[1], "both languages say the same"
    for given in ({}, dict.fromkeys(names[0], "VALUE"), {"code": "partner-timeout"}):
        said = tell(row(event, **given)).text
        assert "{" not in f"{said.vi}{said.en}"
        assert said.en.strip()
        assert event not in said.vi.split(), "words, not the name"


def test_what_a_partner_wrote_stands_apart_from_our_words() -> None:
    data = {"endpoint": "so-y-te", "attempt": 2, "code": "partner-timeout", "detail": "no answer"}
    waiting = tell(row("waiting", **data))
    assert waiting.text.vi == (
        "Lần gửi 2 tới so-y-te không được (đối tác không trả lời kịp); trục tự gửi lại"
    )
    assert waiting.text.en == (
        "Attempt 2 to so-y-te failed (the partner did not answer in time); the bus tries again"
    )
    assert waiting.quoted.vi == "« no answer »"


def test_errors_of_endpoints_and_of_refused_packets_are_told_likewise() -> None:
    opened = tell(row("breaker-opened", endpoint="so-y-te", error="partner-timeout: no answer"))
    assert opened.text.vi == "Ngắt mạch so-y-te (đối tác không trả lời kịp)"
    assert opened.quoted.en == "« no answer »"
    data = {"endpoint": "truc", "ref": "7", "code": "malformed-packet", "reason": "no header"}
    refused = tell(row("collect-refused", **data))
    assert refused.text.vi == ("Không tiếp nhận gói tin 7 lấy từ truc (gói tin edXML không hợp lệ)")
    assert refused.quoted.vi == "« no header »"


def test_a_persons_reason_ends_the_line_in_quotation_marks() -> None:
    replayed = tell(row("replayed", endpoint="so-y-te", reason="đã sửa"))
    assert replayed.text.vi == "Cho gửi lại tới so-y-te: « đã sửa »"
    assert replayed.quoted == ("", "")


def test_an_event_of_a_newer_version_is_told_by_its_name() -> None:
    assert tell(row("teleported")).text == ("teleported", "teleported")
