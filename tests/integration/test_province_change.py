"""Changes of the configuration: proposed, put in force with who and why, taken back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, datetime
from pathlib import Path

import pytest

from bus.gateway.national import operations_of
from bus.ledger.ledger import Ledger
from bus.ops.province_change import EVENT, as_of, in_place_of, propose, put_in_force
from bus.ops.province_diff import changes_between
from schemas.errors import ConfigurationError, Conflict, InvalidRequest, NotFound
from schemas.maintenance import Maintenance
from schemas.province import Agency, Endpoint, Province, Route
from schemas.service import Contract, Grant, Service
from schemas.vietnam import VIETNAM
from tests.ledgers import prepare

WSDLS = Path(__file__).parents[1] / "vectors" / "wsdl"
OFFICE = Agency(code="H38.01", name="Văn phòng")
HEALTH = Agency(code="H38.02", name="Sở Y tế", endpoint="yte")
MAILBOX = Endpoint(name="yte", kind="mailbox")
ROUTE = Route(name="giu", receiver="H38.02", action="hold")
FIRST = Province(agencies=(OFFICE, HEALTH), endpoints=(MAILBOX,))
RENAMED = HEALTH.model_copy(update={"name": "Sở Y tế tỉnh"})
SECOND = Province(agencies=(RENAMED,), endpoints=(MAILBOX,), routes=(ROUTE,))
THIRD = Province(agencies=(OFFICE, RENAMED), endpoints=(MAILBOX,))


@pytest.fixture
async def ledger(tmp_path: Path, sqlite_url: str) -> AsyncIterator[Ledger]:
    await prepare(sqlite_url)
    opened = await Ledger.open(sqlite_url, tmp_path / "blobs")
    yield opened
    await opened.close()


async def apply(ledger: Ledger, wanted: Province) -> int:
    proposal = await propose(ledger, lambda _: wanted)
    return await put_in_force(ledger, proposal, actor="lan", reason="thử")


async def test_every_revision_can_be_seen_again(ledger: Ledger) -> None:
    stages = [Province(), FIRST, SECOND, THIRD]
    for number, stage in enumerate(stages[1:], start=1):
        assert await apply(ledger, stage) == number
    for number, stage in enumerate(stages):
        assert changes_between(await as_of(ledger, number), stage) == ()
    with pytest.raises(NotFound):
        await as_of(ledger, 4)


async def test_going_back_is_a_change_like_any_other(ledger: Ledger) -> None:
    for stage in (FIRST, SECOND, THIRD):
        await apply(ledger, stage)
    wanted = await as_of(ledger, 1)
    assert await apply(ledger, wanted) == 4
    assert changes_between(await ledger.config.province(), FIRST) == ()
    newest = (await ledger.config.revisions(limit=1))[0]
    assert [(c["action"], c["name"]) for c in newest.changes] == [("changed", "H38.02")]


async def test_what_a_directory_brought_is_not_taken_back(ledger: Ledger) -> None:
    await apply(ledger, FIRST)
    brought = Agency(code="A01", name="Bộ A", source="yte", endpoint="yte")
    await apply(ledger, FIRST.model_copy(update={"agencies": (*FIRST.agencies, brought)}))
    await apply(ledger, SECOND)
    then = await as_of(ledger, 1)
    assert "A01" not in {agency.code for agency in then.agencies}
    await apply(ledger, then)
    now = {agency.code for agency in (await ledger.config.province()).agencies}
    assert now == {"A01", "H38.01", "H38.02"}


async def test_who_and_why_are_journalled_and_a_reason_is_needed(ledger: Ledger) -> None:
    await apply(ledger, FIRST)
    entry = next(e for e in await ledger.queries.journal() if e.event == EVENT)
    assert entry.actor == "lan"
    assert entry.data["reason"] == "thử"
    proposal = await propose(ledger, lambda _: SECOND)
    with pytest.raises(InvalidRequest):
        await put_in_force(ledger, proposal, actor="lan", reason="  ")
    await apply(ledger, THIRD)
    with pytest.raises(Conflict):
        await put_in_force(ledger, proposal, actor="lan", reason="chậm chân")


async def test_nothing_is_overwritten_unseen(ledger: Ledger) -> None:
    await apply(ledger, FIRST)
    shown = Province(agencies=(HEALTH,))
    edited = in_place_of(shown, Province(agencies=(RENAMED,)))
    wanted = (await propose(ledger, edited)).wanted
    assert changes_between(wanted, FIRST.model_copy(update={"agencies": (OFFICE, RENAMED)})) == ()
    with pytest.raises(Conflict):
        await propose(ledger, in_place_of(shown, Province(agencies=(HEALTH, OFFICE))))
    await apply(ledger, THIRD)
    with pytest.raises(Conflict):
        await propose(ledger, edited)


async def _service(ledger: Ledger) -> Service:
    content = (WSDLS / "groups.wsdl").read_bytes()
    (digest,) = await ledger.contracts.keep([content])
    contract = Contract(main="a.wsdl", documents={"a.wsdl": digest})
    return Service(name="dan-cu", contract=contract)


async def _granted(ledger: Ledger, *operations: str) -> None:
    """Raises ConfigurationError."""
    grant = Grant(name="y-te", agency="H38.02", service="dan-cu", operations=operations)

    def change(current: Province) -> Province:
        return current.model_copy(update={"grants": (grant,)})

    proposal = await propose(ledger, change, operations=operations_of)
    await put_in_force(ledger, proposal, actor="lan", reason="thử")


async def test_a_grant_names_operations_that_there_are(ledger: Ledger) -> None:
    service = await _service(ledger)
    await apply(ledger, FIRST.model_copy(update={"services": (service,)}))
    documents = await ledger.contracts.read(service.contract.documents)
    (*_, known) = sorted(operations_of(documents, "a.wsdl"))
    with pytest.raises(ConfigurationError) as slip:
        await _granted(ledger, known[:-1])
    assert f"has no operation {known[:-1]}; the nearest is {known}" in slip.value.detail.en
    assert f"gần nhất: {known}" in slip.value.detail.vi
    with pytest.raises(ConfigurationError) as other:
        await _granted(ledger, "KhongCo")
    assert f"there are: {', '.join(sorted(operations_of(documents, 'a.wsdl')))}" in (
        other.value.detail.en
    )
    await _granted(ledger, known)
    await _granted(ledger, "*")


async def test_maintenance_of_an_endpoint_is_announced_in_time(ledger: Ledger) -> None:
    await apply(ledger, FIRST)
    announced = date(2026, 11, 24)
    for day, good in ((3, False), (4, True)):
        away = Maintenance(
            begins=datetime(2026, 12, day, 8, tzinfo=VIETNAM),
            ends=datetime(2026, 12, day, 12, tzinfo=VIETNAM),
            announced=announced,
        )
        endpoint = MAILBOX.model_copy(update={"maintenance": (away,)})
        wanted = FIRST.model_copy(update={"endpoints": (endpoint,)})
        if good:
            await apply(ledger, wanted)
        else:
            with pytest.raises(ConfigurationError, match="6 working days ahead, 7 are needed"):
                await apply(ledger, wanted)
