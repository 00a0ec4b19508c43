"""The whole table of roles and acts, and what pages hide."""

from __future__ import annotations

import re
from pathlib import Path

import orjson
import pytest

import bus.console
from bus.console.html import Html, as_html, facts, link, table, tag
from bus.console.masks import MASK, masked, pretty
from bus.console.rights import RIGHTS, Act, Role, may
from bus.console.words import Words
from schemas.instant import SECOND

O, G, U, D = Role.OPERATOR, Role.AGENCY, Role.AUDITOR, Role.ADMINISTRATOR  # noqa: E741
WHO_MAY = {
    Act.REPLAY: {O, D},
    Act.CANCEL: {O, G, D},
    Act.REDIRECT: {O, D},
    Act.PAUSE: {O, D},
    Act.RESUME: {O, D},
    Act.TEST: {O, D},
    Act.SILENCE: {O, D},
    Act.REVEAL: {O, G, D},
    Act.DOWNLOAD: {O, G, D},
    Act.REPORT: {O, G, U, D},
    Act.ACCESSES: {U, D},
    Act.VERIFY: {O, U, D},
    Act.CONFIGURE: {D},
    Act.MANAGE_KEYS: {D},
}
CHANGES_NOTHING = {Act.REPORT, Act.ACCESSES, Act.VERIFY}


@pytest.mark.parametrize("act", list(Act))
@pytest.mark.parametrize("role", list(Role))
def test_who_may_do_what(role: Role, act: Act) -> None:
    assert act in RIGHTS, "a new act needs a line in the table, and one here"
    assert may(role, act) == (role in WHO_MAY[act])


def test_an_auditor_changes_and_uncovers_nothing() -> None:
    assert {act for act in Act if may(Role.AUDITOR, act)} == CHANGES_NOTHING


def test_every_act_is_asked_for_somewhere() -> None:
    folder = Path(bus.console.__file__).parent / "pages"
    code = "\n".join(path.read_text("utf-8") for path in folder.glob("*.py"))
    assert set(re.findall(r"Act\.([A-Z_]+)", code)) == {act.name for act in Act}


def test_what_came_from_outside_is_escaped() -> None:
    hostile = '<script>alert("1")</script>\x1b[31m'
    for made in (
        tag("p", hostile),
        link(hostile, f'/x?a="{hostile}'),
        table(hostile, [hostile], [[hostile]], empty=""),
        facts([(hostile, hostile)]),
    ):
        assert "<script" not in made
        assert "\x1b" not in made
    assert as_html(Html("<b>")) == "<b>"
    assert as_html(None) == as_html("") == "—"
    assert as_html(0) == "0"


def test_masks_hide_every_text_that_is_not_known() -> None:
    document = {
        "code": "000.01",
        "applicant": {"name": "Nguyễn Văn A", "phone": "0912", "code": "GP-1"},
        "papers": [{"name": "CCCD", "sha256": "ab", "unforeseen": "x"}],
        "count": 2,
    }
    shown = masked(document)
    assert shown == {
        "code": "000.01",
        "applicant": {"name": MASK, "phone": MASK, "code": "GP-1"},
        "papers": [{"name": MASK, "sha256": "ab", "unforeseen": MASK}],
        "count": 2,
    }
    text = orjson.dumps(document).decode()
    assert "Nguyễn" not in pretty(text, open_=False)
    assert "Nguyễn" in pretty(text, open_=True)


def test_numbers_and_spans_in_both_languages() -> None:
    vi, en = Words("vi"), Words("en")
    assert (vi.number(1234.5, 1), en.number(1234.5, 1)) == ("1.234,5", "1,234.5")
    assert vi.span(3_725 * SECOND) == "1 giờ 2 phút"
    assert en.span(61 * SECOND) == "1 min 1 s"
    assert vi.span(0) == "0 giây"
    assert vi.size(1_500_000) == "1,5 MB"
    assert vi.moment(0) == "01/01/1970 07:00:00"
