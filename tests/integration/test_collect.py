"""What a polled endpoint hands over: accepted once, or refused with the reason and kept."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.registry import adapters
from bus.engine.accept import Acceptor
from bus.engine.collect import EndpointInbox
from bus.engine.live import LiveConfig
from bus.ledger.config_store import Change, Item, name_of
from bus.ledger.ledger import Ledger
from schemas.dossier import DossierRecord, Step
from schemas.province import Agency, Endpoint
from tests.integration.dossier_harness import record, step
from tests.integration.gateway_harness import packet
from tests.ledgers import prepare

ITEMS: list[Item] = [
    Endpoint(name="hop-thu", kind="mailbox"),
    Endpoint(name="truc", kind="vxp"),
    Agency(code="H38.01", name="Sở A", endpoint="hop-thu"),
    Agency(code="H38.09", name="Hội chỉ gửi, không nhận"),
    Agency(code="H99.01", name="Sở B tỉnh bạn", endpoint="truc"),
]


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    url = f"sqlite+aiosqlite:///{tmp_path / 'ledger.db'}"
    await prepare(url)
    opened = await Ledger.open(url, tmp_path / "blobs")
    changes = [
        Change("endpoint" if isinstance(each, Endpoint) else "agency", name_of(each), None, each)
        for each in ITEMS
    ]
    await opened.config.apply(changes, expected=0, actor="test", reason="test")
    yield opened
    await opened.close()


@pytest.fixture
async def inbox(ledger: Ledger) -> AsyncIterator[EndpointInbox]:
    live = LiveConfig(ledger.config)
    await live.start()
    manifests = {kind: adapter.manifest for kind, adapter in adapters().items()}
    acceptor = Acceptor(
        ledger, live, manifests, max_bytes=1_000_000, max_files=50, inline_bytes=1_000
    )
    yield EndpointInbox("truc", ledger, live, acceptor)
    await live.close()


async def pieces(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 700):
        yield content[start : start + 700]


async def test_a_packet_is_accepted_once(inbox: EndpointInbox) -> None:
    content = packet("H99.01", ("H38.01",), 1)
    first = await inbox.take("doc-1", pieces(content))
    again = await inbox.take("doc-1", pieces(content))
    assert (first.accepted, first.duplicate) == (True, False)
    assert (again.accepted, again.duplicate) == (True, True)
    assert again.message_id == first.message_id


@pytest.mark.parametrize("sender", ["H38.01", "H38.09"], ids=["other endpoint", "no endpoint"])
async def test_nobody_speaks_for_an_agency_of_this_bus(inbox: EndpointInbox, sender: str) -> None:
    taken = await inbox.take("doc-2", pieces(packet(sender, ("H38.01",), 2)))
    assert not taken.accepted
    assert sender in taken.reason


async def test_nothing_goes_back_to_where_it_came_from(inbox: EndpointInbox) -> None:
    taken = await inbox.take("doc-3", pieces(packet("H99.05", ("H99.01",), 3)))
    assert not taken.accepted
    assert "truc" in taken.reason


@pytest.mark.parametrize("content", [b"not XML at all", b"<edXML/>", b"<a>" * 500])
async def test_what_can_never_be_accepted_is_kept(
    inbox: EndpointInbox, ledger: Ledger, content: bytes
) -> None:
    taken = await inbox.take("doc-4", pieces(content))
    assert not taken.accepted
    assert taken.reason
    sha256 = hashlib.sha256(content).hexdigest()
    assert ledger.blobs.path(sha256).read_bytes() == content
    assert await ledger.queries.named_blobs([sha256]) == {sha256}, "the sweep lets it be"


ONE_STOP = Endpoint(name="mot-cua", kind="vxp", speaks_for=("H38.01",))


@pytest.fixture
async def dossiers(ledger: Ledger) -> AsyncIterator[EndpointInbox]:
    """The inbox of a one-stop system that speaks for H38.01 and what is below it."""
    below = Agency(code="H38.01.05", name="Chi cục", parent="H38.01")
    changes = [
        Change("endpoint", ONE_STOP.name, None, ONE_STOP),
        Change("agency", below.code, None, below),
    ]
    await ledger.config.apply(changes, expected=1, actor="test", reason="test")
    live = LiveConfig(ledger.config)
    await live.start()
    acceptor = Acceptor(ledger, live, {}, max_bytes=20_000, max_files=50, inline_bytes=1_000)
    yield EndpointInbox(ONE_STOP.name, ledger, live, acceptor)
    await live.close()


async def test_dossiers_of_a_one_stop_system_are_accepted_once(
    dossiers: EndpointInbox, ledger: Ledger
) -> None:
    """Under the partner's id of the change; an id used for something else hides nothing."""
    code = "H38.01-261102-0001"
    one, other = (record(code, agency="H38.01", note=note) for note in ("", "khác"))
    first = await dossiers.take_dossier("doi-1", "H38.01", one, b"{}")
    again = await dossiers.take_dossier("doi-1", "H38.01", one, b"{ }")
    news = await dossiers.take_dossier("doi-1", "H38.01", other, b"{  }")
    assert (first.accepted, first.duplicate) == (True, False)
    assert (again.duplicate, again.message_id) == (True, first.message_id)
    assert (news.accepted, news.duplicate) == (True, False)
    told = await dossiers.take_dossier("buoc-1", "H38.01.05", step(code, 1), b"{}")
    twice = await dossiers.take_dossier("buoc-9", "H38.01.05", step(code, 1), b"{}")
    assert (twice.accepted, twice.duplicate) == (True, True)
    assert twice.message_id == told.message_id
    (row,) = [each for each in await ledger.dossiers.find(code) if each.record_message]
    assert row.record_message == news.message_id


@pytest.mark.parametrize(
    ("agency", "item"),
    [
        ("H99.01", record("H38.01-261102-0001", agency="H99.01")),
        ("H38.01", record("H38.01-261102-0001", agency="H38.01.05")),
        ("H99.01", step("H38.01-261102-0001", 1)),
    ],
)
async def test_8_dossiers_of_other_agencies_are_refused_and_kept(
    dossiers: EndpointInbox, ledger: Ledger, agency: str, item: DossierRecord | Step
) -> None:
    taken = await dossiers.take_dossier("la", agency, item, b'{"la": 1}')
    assert not taken.accepted
    assert taken.reason
    sha256 = hashlib.sha256(b'{"la": 1}').hexdigest()
    assert await ledger.queries.named_blobs([sha256]) == {sha256}
    assert await ledger.dossiers.find(item.code) == []
