"""What a caller may not see is withheld, in every form that the mapping has."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.gateway.calling.withhold import WITHHELD, for_soap, seen, values_at, withhold

REPLY: dict[str, Any] = {
    "a": "1",
    "b": {"c": "2", "d": {"e": "3", "@x": "4"}, "#lexical": {"c": "02"}},
    "list": [{"f": "5", "g": "6"}, {"f": "7"}],
    "plain": ["8", "9"],
    "none": None,
}


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        (("*",), REPLY),
        (
            ("a",),
            {"a": "1", "b": WITHHELD, "list": [WITHHELD], "plain": [WITHHELD], "none": WITHHELD},
        ),
        (
            ("b/c", "list/f"),
            {
                "a": WITHHELD,
                "b": {"c": "2", "d": WITHHELD, "#lexical": {"c": "02"}},
                "list": [{"f": "5", "g": WITHHELD}, {"f": "7"}],
                "plain": [WITHHELD],
                "none": WITHHELD,
            },
        ),
        (("b/d", "b/d/e", "plain", "none"), {"b": {"c": WITHHELD, "d": REPLY["b"]["d"]}}),
    ],
)
def test_paths_say_what_may_be_seen(fields: tuple[str, ...], shown: dict[str, Any]) -> None:
    found = withhold(REPLY, fields)
    assert {key: found[key] for key in shown} == shown
    assert found.keys() == REPLY.keys(), "never silently absent"


def test_how_a_withheld_value_was_written_does_not_tell_it() -> None:
    value = {"n": 7, "m": 8, "p": [9], "#lexical": {"n": "007", "m": "08", "p/0": "09"}}
    assert withhold(value, ("m",))["#lexical"] == {"m": "08"}
    assert "#lexical" not in withhold(value, ("q",))


def test_content_in_document_order_keeps_its_elements() -> None:
    value = {"t": {"#content": ["See ", {"b": "this"}, {"c": "that"}], "#any": [{"{u}x": "y"}]}}
    shown = {"t": {"#content": ["", {"b": "this"}, {"c": WITHHELD}], "#any": [{"{u}x": WITHHELD}]}}
    assert withhold(value, ("t/b",)) == shown


def test_an_attachment_stays_one_without_its_content() -> None:
    value = {"#attachments": [{"contentId": "1", "contentType": "image/png", "data": "AAAA"}]}
    (left,) = withhold(value, ("a",))["#attachments"]
    assert (left["contentId"], left["data"]) == ("1", "")
    assert withhold(value, ("#attachments",)) == value


def test_where_xml_has_no_place_for_the_mark() -> None:
    value = {"a": {"@x": WITHHELD, "b": "1"}, "c": {"@y": "2", "#text": WITHHELD}, "d": WITHHELD}
    assert for_soap(value) == {"a": {"b": "1"}, "c": WITHHELD, "d": WITHHELD}


def test_what_was_seen_is_told_by_path() -> None:
    assert set(seen(withhold(REPLY, ("b/c", "list")))) == {"b/c", "list/f", "list/g"}


def test_persons_are_found_in_lists_and_content() -> None:
    value = {"p": [{"id": "1"}, {"id": 2}, {"#content": [{"id": "3"}]}, {"id": {"#text": "4"}}]}
    assert list(values_at(value, "p/id")) == ["1", "2", "3", "4"]
    assert list(values_at(value, "p/other")) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcde"), inner, max_size=3)
    ),
    max_leaves=12,
)
PATHS = st.lists(st.sampled_from("abcde"), min_size=1, max_size=3).map("/".join)


@given(
    st.dictionaries(st.sampled_from("abcde"), JSON, max_size=4),
    st.lists(PATHS, max_size=4).map(tuple),
)
def test_nothing_is_seen_that_no_path_allows(
    value: dict[str, Any], fields: tuple[str, ...]
) -> None:
    shown = withhold(value, fields)
    assert shown.keys() == value.keys()
    for path in seen(shown):
        assert any(f"{path}/".startswith(f"{each}/") for each in fields), path
