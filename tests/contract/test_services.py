"""Contracts of services and accesses to personal data, on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bus.ledger.accesses import Access, subject_hash
from bus.ledger.ledger import Ledger
from bus.ledger.migrate import migrate
from schemas.errors import NotFound

KEY = b"k"
ONE = subject_hash(KEY, "001099000001")
OTHER = subject_hash(KEY, "001099000002")
ACCESS = Access(
    id="a1",
    service="dan-cu@1",
    operation="TraCuu",
    client="client:mot-cua",
    agency="H99.14",
    officer="CB-1",
    purpose="G15-TP110",
    fields=("CongDan",),
    subjects=(ONE,),
    trace="t",
)


@pytest.fixture
async def ledger(ledger_url: str, tmp_path: Path) -> AsyncIterator[Ledger]:
    await migrate(ledger_url)
    opened = await Ledger.open(ledger_url, tmp_path / "blobs", actor="test")
    yield opened
    await opened.close()


async def test_documents_are_kept_once_and_read_by_name(ledger: Ledger) -> None:
    first = await ledger.contracts.keep([b"<a/>", b"<b/>"])
    assert await ledger.contracts.keep([b"<b/>"]) == first[1:]
    names = {"a.wsdl": first[0], "b.xsd": first[1]}
    assert await ledger.contracts.read(names) == {"a.wsdl": b"<a/>", "b.xsd": b"<b/>"}
    with pytest.raises(NotFound, match=r"c\.xsd"):
        await ledger.contracts.read(names | {"c.xsd": "0" * 64})


async def test_the_operators_copy_of_a_schema_is_replaced(ledger: Ledger) -> None:
    assert await ledger.contracts.schemas() == {}
    await ledger.contracts.keep_schema("http://x.example/s", b"<one/>")
    await ledger.contracts.keep_schema("http://x.example/s", b"<two/>")
    assert await ledger.contracts.schemas() == {"http://x.example/s": b"<two/>"}


async def test_an_access_is_found_by_each_person_it_was_about(ledger: Ledger) -> None:
    await ledger.access_asked(ACCESS)
    (asked,) = await ledger.accesses.find(subject=ONE)
    assert (asked.outcome, asked.fields, asked.officer) == ("asked", ("CongDan",), "CB-1")
    await ledger.access_ended(
        ACCESS, outcome="answered", fields={"CongDan/HoVaTen"}, subjects=[OTHER, ONE]
    )
    for subject in (ONE, OTHER):
        (row,) = await ledger.accesses.find(subject=subject)
        assert (row.outcome, row.fields) == ("answered", ("CongDan/HoVaTen",))
    assert await ledger.accesses.find(subject=subject_hash(b"other key", "001099000001")) == []
    assert (await ledger.verify_journal()).problems == ()


async def test_accesses_are_listed_once_each_newest_first(ledger: Ledger) -> None:
    nobody = replace(ACCESS, id="a2", service="bao-hiem@2", subjects=())
    await ledger.access_asked(replace(ACCESS, subjects=(ONE, OTHER)))
    await ledger.access_asked(nobody)
    assert [row.id for row in await ledger.accesses.find()] == ["a2", "a1"]
    assert [row.id for row in await ledger.accesses.find(service="dan-cu")] == ["a1"]
    assert await ledger.accesses.find(service="dan") == []


def test_blanks_in_an_identifier_do_not_hide_a_person() -> None:
    assert subject_hash(KEY, " 001 099 000 001") == ONE
