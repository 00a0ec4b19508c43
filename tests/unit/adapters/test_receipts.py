"""The receipt book: one effect per message id, also across a crash."""

from __future__ import annotations

from pathlib import Path

import orjson

from adapters.receipts import Receipt, ReceiptBook


def record(book: ReceiptBook, message_id: str, attempt: int = 1) -> Receipt:
    return book.record(
        message_id=message_id,
        sha256="00",
        size=1,
        sender="H38.01",
        kind="document",
        attempt=attempt,
    )


def test_only_the_first_arrival_has_an_effect() -> None:
    book = ReceiptBook()
    receipts = [record(book, each) for each in ("a", "b", "a")]
    assert [each.first for each in receipts] == [True, True, False]
    assert [each.order for each in receipts] == [1, 2, 3]
    assert receipts[0].receipt == receipts[2].receipt != receipts[1].receipt
    assert (len(book.effects), book.repeats) == (2, 1)


def test_a_new_book_on_the_same_file_continues(tmp_path: Path) -> None:
    with ReceiptBook(tmp_path / "log") as book:
        first = record(book, "a")
    with ReceiptBook(tmp_path / "log") as book:
        again, other = record(book, "a", 2), record(book, "b")
    assert (again.first, again.receipt, again.order) == (False, first.receipt, 2)
    assert other.receipt != first.receipt
    lines = (tmp_path / "log").read_bytes().splitlines()
    assert [Receipt(**orjson.loads(line)) for line in lines] == [first, again, other]


def test_every_arrival_is_in_the_file_before_record_returns(tmp_path: Path) -> None:
    with ReceiptBook(tmp_path / "log") as book:
        for number in range(3):
            record(book, str(number))
            assert (tmp_path / "log").read_bytes().count(b"\n") == number + 1


def test_a_line_torn_by_a_kill_is_dropped(tmp_path: Path) -> None:
    with ReceiptBook(tmp_path / "log") as book:
        record(book, "a")
        record(book, "b")
    whole = (tmp_path / "log").read_bytes()
    (tmp_path / "log").write_bytes(whole[:-20])
    with ReceiptBook(tmp_path / "log") as book:
        assert set(book.effects) == {"a"}
        assert record(book, "b").first
    lines = (tmp_path / "log").read_bytes().splitlines()
    assert [orjson.loads(line)["message_id"] for line in lines] == ["a", "b"]
