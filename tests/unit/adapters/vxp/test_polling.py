"""A packet that does not come: it stays with the axis, and its sender's later ones wait for it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from adapters.http import open_session
from adapters.vxp import Vxp, codec
from adapters.vxp.config import VxpConfig
from adapters.vxp.polling import HELD_ROUNDS, PATIENCE
from adapters.vxp.sandbox import Axis, Province
from schemas.adapter import Result
from schemas.errors import ConfigurationError, PartnerError
from tests.contract.adapter_conformance import small
from tests.proof.packets import status
from tests.unit.adapters.vxp.test_vxp_exchange import AWAY, HOME, SECRETS, Kept, packet

PAGE = b"<!DOCTYPE html><html><body>502 Bad Gateway</body></html>"
ANSWERS = {
    "web page": lambda: web.Response(body=PAGE, content_type=codec.OCTETS),
    "web page, by its type alone": lambda: web.Response(
        body=b"\xef\xbb\xbf<!-- proxy -->" + PAGE, content_type="text/html"
    ),
    "web page with its status": lambda: web.Response(
        status=502, body=PAGE, content_type="text/html"
    ),
    "forbidden by a proxy": lambda: web.Response(status=403, body=PAGE, content_type="text/html"),
    "JSON": lambda: web.Response(
        body=b'{"status":"OK","ErrorCode":"0"}', content_type=codec.OCTETS
    ),
    "pause": lambda: web.Response(status=503),
}


@pytest.fixture
async def axis() -> AsyncIterator[Axis]:
    codes = {HOME: ("H38.01", "H38.02"), AWAY: ("H99.01",)}
    async with Axis([Province(each, SECRETS[each], codes[each]) for each in codes]) as running:
        yield running


@pytest.fixture
async def hubs(axis: Axis) -> AsyncIterator[dict[str, Vxp]]:
    async with open_session() as http:
        configs = {
            each: VxpConfig(url=axis.url, systemid=each, secret=each) for each in (HOME, AWAY)
        }
        yield {
            each: Vxp(config, http=http, secrets=SECRETS.__getitem__)
            for each, config in configs.items()
        }


async def _sent(hub: Vxp, content: bytes, sender: str = "H38.01", kind: str = "document") -> str:
    outcome = await hub.deliver(small(content, sender=sender, kind=kind))
    assert outcome.result is Result.DELIVERED, outcome
    return outcome.partner_ref


@pytest.mark.parametrize("why", ANSWERS)
async def test_what_does_not_come_is_fetched_again_and_holds_back_its_sender_alone(
    axis: Axis, hubs: dict[str, Vxp], why: str
) -> None:
    """A correction is not here before its document, nor a status of the same agency; whatever a
    proxy answers in the packet's stead, the axis is not told that the packet failed.
    """
    home, inbox = hubs[HOME], Kept()
    first = await _sent(home, packet("H99.01"))
    second = await _sent(home, packet("H99.01"))
    other = await _sent(home, packet("H99.01", sender="H38.02"), sender="H38.02")
    told = status(sender="H38.01", receiver="H99.01", document_id="1", note="đã nhận")
    last = await _sent(home, told, kind="status")
    axis.instead[first] = ANSWERS[why]()

    assert await hubs[AWAY].poll(inbox) == 1
    assert list(inbox.packets) == [other]
    states = {doc_id: each["H99.01"] for doc_id, each in axis.store.states().items()}
    assert states == {first: "initial", second: "initial", last: "initial", other: "done"}

    axis.instead.clear()
    assert await hubs[AWAY].poll(inbox) == 3
    assert list(inbox.packets) == [other, first, second, last]
    assert {each["H99.01"] for each in axis.store.states().values()} == {"done"}


async def test_a_packet_that_the_axis_refuses_holds_nobody_back(
    axis: Axis, hubs: dict[str, Vxp]
) -> None:
    inbox = Kept()
    first = await _sent(hubs[HOME], packet("H99.01"))
    second = await _sent(hubs[HOME], packet("H99.01"))
    axis.instead[first] = web.Response(body=codec.refusal(codec.BAD_FILE), content_type=codec.JSON)
    assert await hubs[AWAY].poll(inbox) == 1
    assert list(inbox.packets) == [second]
    assert axis.store.states()[first] == {"H99.01": "initial"}


async def test_a_sender_is_not_held_back_for_ever(axis: Axis, hubs: dict[str, Vxp]) -> None:
    inbox = Kept()
    first = await _sent(hubs[HOME], packet("H99.01"))
    second = await _sent(hubs[HOME], packet("H99.01"))
    axis.instead[first] = ANSWERS["web page"]()
    for _ in range(HELD_ROUNDS):
        with pytest.raises(PartnerError, match="web page"):
            await hubs[AWAY].poll(inbox)
    assert inbox.packets == {}
    assert await hubs[AWAY].poll(inbox) == 1
    assert list(inbox.packets) == [second]


async def test_a_round_in_which_nothing_comes_says_why_and_ends_early(
    axis: Axis, hubs: dict[str, Vxp]
) -> None:
    senders = ("H38.01", "H38.02")
    sent = [
        await _sent(hubs[HOME], packet("H99.01", sender=each), sender=each)
        for each in senders * PATIENCE
    ]
    axis.instead |= dict.fromkeys(sent, ANSWERS["forbidden by a proxy"]())
    with pytest.raises(ConfigurationError, match="HTTP 403"):
        await hubs[AWAY].poll(Kept())
    assert axis.calls["/downloadEdoc"] <= 2 * len(senders) + 8, "one miss of each, and those ahead"
