"""Committed journal entries become CloudEvents, batched by type."""

from __future__ import annotations

import orjson

from bus.engine.events import of_entries
from bus.ledger.journal import Chain


def test_entries_of_one_commit_become_one_batch_for_each_type() -> None:
    chain = Chain(id="c")
    chain.add(1_000_000, "accepted", "client", {"sender": "H99"}, "m1")
    chain.add(1_000_000, "delivered", "worker", {"endpoint": "e"}, "m1", 7)
    chain.add(1_000_000, "accepted", "client", {"sender": "H99"}, "m2")
    events = {event.routing_key: orjson.loads(event.body) for event in of_entries(chain.entries)}
    assert set(events) == {"accepted", "delivered"}
    assert [event["subject"] for event in events["accepted"]] == ["m1", "m2"]
    (delivered,) = events["delivered"]
    assert delivered["specversion"] == "1.0"
    assert delivered["type"] == "vn.gov.lgsp.delivered"
    assert delivered["id"] == "c/2"
    assert delivered["time"].startswith("1970-01-01T00:00:01")
    assert delivered["data"] == {
        "actor": "worker",
        "details": {"endpoint": "e"},
        "deliveryId": 7,
    }


def test_who_logged_in_and_who_uncovered_what_is_no_news() -> None:
    chain = Chain(id="c")
    for event in ("console-login", "console-account-added", "personal-data-revealed"):
        chain.add(1, event, "console:lan", {"reason": "x"})
    chain.add(1, "original-downloaded", "console:lan", {}, "m1")
    assert of_entries(chain.entries) == []
