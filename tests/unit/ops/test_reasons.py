"""Why something failed: our words by the code, somebody else's apart and quoted."""

from __future__ import annotations

from bus.engine.national import UNMAPPED
from bus.ops.reasons import last_error, reason_in, reason_of, title_of
from schemas.errors import PartnerTimeout

TITLE = PartnerTimeout.title


def test_a_known_code_is_said_and_the_detail_quoted() -> None:
    reason = reason_of("partner-timeout", "no answer in 20 s")
    assert reason.said == TITLE
    assert reason.quoted == ("« no answer in 20 s »",) * 2
    assert reason.inline().vi == "Đối tác không trả lời kịp « no answer in 20 s »"
    assert reason.clause().vi == " (đối tác không trả lời kịp)"


def test_words_without_a_code_are_somebodys() -> None:
    reason = reason_of(None, "gửi nhầm")
    assert reason.said == ("", "")
    assert reason.clause() == ("", "")
    assert reason.inline().vi == "« gửi nhầm »"


def test_nothing_known_is_nothing_said() -> None:
    assert reason_of(None, None).inline() == ("", "")
    assert reason_of("", "").clause() == ("", "")
    assert last_error(None) == ("—", "—")


def test_a_code_of_nobody_stays_as_it_is() -> None:
    assert title_of("odd") == ("odd", "odd")


def test_a_detail_that_only_repeats_the_title_is_not_quoted() -> None:
    assert reason_of("partner-timeout", TITLE.en).quoted == ("", "")


def test_abbreviations_and_names_keep_their_capitals_within_a_sentence() -> None:
    assert reason_of("broker-unavailable").clause().vi == " (RabbitMQ không phản hồi)"
    assert reason_of("malformed-xml").clause().vi == " (XML không đọc được)"


def test_what_was_kept_in_both_languages_is_quoted_in_the_readers() -> None:
    quoted = reason_of(UNMAPPED, "chưa có mã 12 / no code 12").quoted
    assert quoted == ("« chưa có mã 12 »", "« no code 12 »")


def test_the_error_of_an_endpoint_is_its_code_and_what_was_said() -> None:
    assert reason_in("partner-timeout: no answer").said == TITLE
    assert reason_in("partner-timeout: no answer").quoted.vi == "« no answer »"
    assert reason_in("OSError: disk").inline().vi == "« OSError: disk »"
