"""rest-push beyond the conformance suite: configuration, rotation, TLS, the sandbox process."""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import aiohttp
import orjson
import pytest

from adapters.http import open_session
from adapters.registry import create, parse_config
from adapters.rest_push.sandbox import Sandbox
from schemas.adapter import Adapter, Result
from schemas.errors import ConfigurationError
from tests.certificates import certificate
from tests.contract.adapter_conformance import small
from tests.waiting import wait_until

NEW, OLD = b"new-secret-of-more-than-16-bytes", b"old-secret-of-more-than-16-bytes"
SECRETS = {"new": NEW, "old": OLD}


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with open_session() as session:
        yield session


def connect(http: aiohttp.ClientSession, url: str, **config: object) -> Adapter:
    given = {"url": url, "secret": "new", **config}
    return create("rest-push", given, http=http, secrets=SECRETS.__getitem__)


def coming_to(adapter: Adapter, result: Result) -> Callable[[], bool | Awaitable[bool]]:
    """A condition: a new delivery has this result."""

    async def tried() -> bool:
        return (await adapter.deliver(small())).result is result

    return tried


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("url", "ftp://example.gov.vn/"),
        ("url", "/documents"),
        ("url", "https://user:pass@example.gov.vn/"),
        ("url", "https://example.gov.vn/#here"),
        ("lookup_url", "https://example.gov.vn/?id="),
        ("secret", ""),
        ("answer_seconds", 0),
        ("min_upload_rate", 0),
    ],
)
def test_a_wrong_configuration_is_refused_and_not_repeated(field: str, value: object) -> None:
    good = {"url": "https://example.gov.vn/", "secret": "new"}
    with pytest.raises(ConfigurationError, match=field) as caught:
        parse_config("rest-push", good | {field: value})
    assert "pass@" not in str(caught.value)


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(ConfigurationError, match="mailbox, onestop, rest-push"):
        parse_config("fax", {})


async def test_both_secrets_sign_while_one_is_replaced(http: aiohttp.ClientSession) -> None:
    for held_by_partner in ((OLD,), (NEW,), (OLD, NEW)):
        async with Sandbox(secrets=held_by_partner) as sandbox:
            adapter = connect(http, sandbox.url, previous_secret="old")
            assert (await adapter.deliver(small())).result is Result.DELIVERED


async def test_a_wrong_secret_is_for_the_administrator(http: aiohttp.ClientSession) -> None:
    async with Sandbox(secrets=(OLD,)) as sandbox:
        outcome = await connect(http, sandbox.url).deliver(small())
        assert (outcome.result, outcome.code) == (Result.TRANSIENT, "configuration")
        assert sandbox.received == []


async def test_bytes_changed_on_the_way_are_not_kept(http: aiohttp.ClientSession) -> None:
    async with Sandbox(secrets=(NEW,)) as sandbox:
        outcome = await connect(http, sandbox.url).deliver(replace(small(), sha256="0" * 64))
        assert (outcome.result, outcome.code) == (Result.TRANSIENT, "configuration")
        assert sandbox.received == []


async def test_without_a_look_up_address_it_is_sent_again(http: aiohttp.ClientSession) -> None:
    async with Sandbox(secrets=(NEW,)) as sandbox:
        adapter, delivery = connect(http, sandbox.url), small()
        await sandbox.set_fault("cut")
        assert (await adapter.deliver(delivery)).result is Result.UNKNOWN
        await sandbox.set_fault("ok")
        again = await adapter.deliver(replace(delivery, attempt=2, maybe_sent=True))
        assert again.result is Result.DELIVERED
        assert [each.first for each in sandbox.received] == [True, False]
        assert sandbox.lookups == 0


async def test_a_header_that_cannot_be_written_is_an_outcome(http: aiohttp.ClientSession) -> None:
    async with Sandbox(secrets=(NEW,)) as sandbox:
        delivery = replace(small(), media_type="text/plain\r\nX-Injected: 1")
        outcome = await connect(http, sandbox.url).deliver(delivery)
        assert (outcome.result, outcome.code) == (Result.TRANSIENT, "configuration")
        assert sandbox.received == []


async def test_a_fault_hits_its_share_and_ends_by_itself(http: aiohttp.ClientSession) -> None:
    async with Sandbox(secrets=(NEW,)) as sandbox:
        adapter = connect(http, sandbox.url)
        await sandbox.set_fault("500", probability=0.5)
        outcomes = [await adapter.deliver(small()) for _ in range(100)]
        failed = sum(outcome.result is Result.UNKNOWN for outcome in outcomes)
        assert 20 < failed < 80
        await sandbox.set_fault("hang", seconds=0.2)
        assert (await adapter.deliver(small())).result is Result.DELIVERED  # let go at the end
        await sandbox.set_fault("refuse", seconds=0.2)

        await wait_until(coming_to(adapter, Result.DELIVERED), what="the sandbox listening again")


async def test_only_a_certificate_of_a_known_authority_is_trusted(
    http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    cert, key = certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    async with Sandbox(secrets=(NEW,), ssl_context=context) as sandbox:
        stranger = await connect(http, sandbox.url).deliver(small())
        assert (stranger.result, stranger.code) == (Result.TRANSIENT, "partner-unavailable")
        assert "TLS" in stranger.detail
        known = await connect(http, sandbox.url, ca_file=str(cert)).deliver(small())
        assert known.result is Result.DELIVERED


async def test_a_missing_ca_file_is_a_configuration_error(http: aiohttp.ClientSession) -> None:
    with pytest.raises(ConfigurationError, match="ca_file"):
        connect(http, "https://example.gov.vn/", ca_file="/does/not/exist.pem")


async def start_process(folder: Path) -> tuple[asyncio.subprocess.Process, str]:
    (folder / "secret").write_bytes(NEW + b"\n")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "adapters.rest_push.sandbox", "--secret-file", str(folder / "secret")),
        *("--log", str(folder / "log")),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    return process, (await process.stdout.readline()).decode().strip()


async def test_the_sandbox_process_remembers_after_a_kill(
    http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    process, url = await start_process(tmp_path)
    try:
        delivery = small()
        first = await connect(http, url).deliver(delivery)
        assert first.result is Result.DELIVERED
        process.kill()
        await process.wait()
        process, url = await start_process(tmp_path)
        again = await connect(http, url).deliver(delivery)
        assert (again.result, again.partner_ref) == (Result.DELIVERED, first.partner_ref)
        lines = [orjson.loads(line) for line in (tmp_path / "log").read_bytes().splitlines()]
        assert [line["first"] for line in lines] == [True, False]
        assert {line["message_id"] for line in lines} == {delivery.message_id}
    finally:
        process.terminate()
        assert await process.wait() == 0


async def test_the_sandbox_is_controlled_over_http(http: aiohttp.ClientSession) -> None:
    async with Sandbox(secrets=(NEW,)) as sandbox:
        control = sandbox.url.replace("/documents", "/_sandbox/fault")
        report = sandbox.url.replace("/documents", "/_sandbox/received")
        adapter = connect(http, sandbox.url)
        for order, status in [
            ({"mode": "reject"}, 200),
            ({"mode": "dance"}, 400),
            ({"mode": "refuse"}, 400),
            ({"mode": "ok", "probability": 2}, 400),
        ]:
            async with http.post(control, json=order) as response:
                assert response.status == status
        assert (await adapter.deliver(small())).result is Result.REJECTED
        await http.post(control, json={"mode": "ok"})
        delivery = small()
        await adapter.deliver(delivery)
        async with http.get(report) as response:
            received = json.loads(await response.read())
        assert (received["messages"], received["repeats"]) == (1, 0)
        assert received["items"][0]["message_id"] == delivery.message_id
        async with http.post(control, json={"mode": "refuse", "seconds": 60}) as response:
            assert response.status == 200
        await wait_until(coming_to(adapter, Result.TRANSIENT), what="the socket closed")
