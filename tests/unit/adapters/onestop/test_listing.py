"""The list of a period and telling again: what reconciliation asks one-stop software for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date

import orjson
import pytest

from adapters.http import open_session
from adapters.onestop import OneStop
from adapters.onestop.codec import read_listing
from adapters.onestop.config import OneStopConfig
from adapters.onestop.sandbox import PAGE, OneStopSandbox
from schemas.adapter import DossierSource, ListedDossier
from schemas.dossier import DossierRecord, DossierStatus, Step
from schemas.dossier.moments import day_of
from schemas.errors import ConfigurationError, PartnerGarbage, PartnerUnavailable
from tests.unit.adapters.onestop.test_polling import SECRET, UNIT, Kept, changes

FIRST, LAST = date(2026, 8, 1), date(2026, 9, 30)


@pytest.fixture
async def onestop() -> AsyncIterator[OneStopSandbox]:
    async with OneStopSandbox(UNIT, SECRET) as sandbox:
        yield sandbox


@pytest.fixture
async def source(onestop: OneStopSandbox) -> AsyncIterator[OneStop]:
    config = OneStopConfig(
        url=onestop.url, unit_code=UNIT, secret="x", listing_path="dossiers", answer_seconds=2
    )
    async with open_session() as http:
        yield OneStop(config, http=http, secrets=lambda _: SECRET)


async def listed(
    source: OneStop, first: date = FIRST, last: date = LAST
) -> dict[str, ListedDossier]:
    rows = [row async for row in source.listing(first, last)]
    found = {row.code: row for row in rows}
    assert len(found) == len(rows)
    return found


async def test_every_dossier_of_the_period_is_listed_once_as_it_stands(
    onestop: OneStopSandbox, source: OneStop
) -> None:
    told = changes(2 * PAGE + 30)
    onestop.publish(told)
    assert isinstance(source, DossierSource)
    records = {c.item.code: c.item for c in told if isinstance(c.item, DossierRecord)}
    received = {code: r for code, r in records.items() if r.received is not None}
    found = await listed(source)
    assert found.keys() == received.keys()
    for code, row in found.items():
        steps = [c.item for c in told if isinstance(c.item, Step) and c.item.code == code]
        assert row.seen.steps == len(steps)
        assert row.seen.changed == max(each.at for each in steps)
        assert row.seen.facts["procedure"] == received[code].procedure
        assert row.seen.pending, "nothing of it was fetched yet"
    await source.poll(Kept())
    assert not any(row.seen.pending for row in (await listed(source)).values())
    day = date(2026, 8, 10)
    some = await listed(source, day, day)
    assert some.keys() == {
        c for c, r in received.items() if r.received is not None and day_of(r.received) == day
    }


async def test_a_dossier_told_again_brings_its_record_first_under_the_ids_it_had(
    onestop: OneStopSandbox, source: OneStop
) -> None:
    told, inbox = changes(3), Kept()
    onestop.publish(told)
    await source.poll(inbox)
    refs = set(inbox.refs)
    code = told[0].item.code
    steps = [c.item for c in told if isinstance(c.item, Step) and c.item.code == code]
    before = len(inbox.refs)
    await source.tell_again(code)
    assert await source.poll(inbox) == 1 + len(steps)
    assert set(inbox.refs) == refs
    assert len(set(inbox.refs[before:])) == 1 + len(steps)
    last = [c.item for c in told if isinstance(c.item, DossierRecord) and c.item.code == code][-1]
    assert last in [item for _, item in inbox.items]


async def test_without_an_address_it_cannot_be_reconciled(onestop: OneStopSandbox) -> None:
    config = OneStopConfig(url=onestop.url, unit_code=UNIT, secret="x")
    async with open_session() as http:
        source = OneStop(config, http=http, secrets=lambda _: SECRET)
        assert source.reconciling is None
        with pytest.raises(ConfigurationError):
            await listed(source)


async def test_a_list_that_breaks_off_is_no_list(onestop: OneStopSandbox, source: OneStop) -> None:
    onestop.publish(changes(PAGE + 30))
    await onestop.set_fault("503")
    with pytest.raises(PartnerUnavailable):
        await listed(source)


@pytest.mark.parametrize(
    "body",
    [
        {"profiles": {}, "next": ""},
        {"profiles": []},
        {"profiles": [{"source_id": "không phải mã"}], "next": ""},
        {"profiles": ["x"], "next": ""},
        {
            "profiles": [{"source_id": "H99.19-261124-0001", "from_unit_code": "?"}],
            "next": "",
        },
    ],
)
def test_what_is_no_list_of_the_protocol_is_refused(body: object) -> None:
    with pytest.raises(PartnerGarbage):
        read_listing(orjson.dumps(body))


def test_rows_are_read_tolerantly() -> None:
    row = {
        "source_id": "H99.19-261124-0001 ",
        "from_unit_code": "000.00.19.H99",
        "status_profile": "4",
        "steps": "3",
        "waiting": "1",
        "due_date": None,
    }
    (listed_row,), after = read_listing(orjson.dumps({"profiles": [row], "next": None}))
    assert after == ""
    assert listed_row.code == "H99.19-261124-0001"
    assert listed_row.seen.status is DossierStatus.PROCESSING
    assert (listed_row.seen.steps, listed_row.seen.pending) == (3, True)
    assert listed_row.seen.facts == {}
