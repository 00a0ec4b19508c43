"""The conformance suite: what every adapter in the registry must do, each against its sandbox."""

from __future__ import annotations

import asyncio
import importlib
import logging
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp
import pytest

import adapters as adapters_package
from adapters.http import open_session
from adapters.registry import adapters, create, parse_config
from adapters.rest_push.outbound import RestPush
from schemas.adapter import Adapter, Outcome, Result
from schemas.errors import ConfigurationError, LgspError
from tests.contract.adapter_conformance import (
    CITIZEN,
    KNOWN_NONCONFORMANT,
    Harness,
    PullHarness,
    PushHarness,
    harnesses,
    idle,
    large,
    pooled,
    small,
)
from tests.waiting import wait_until

KINDS = sorted(adapters())
PUSH = [kind for kind in KINDS if adapters()[kind].manifest.mode == "push"]
OPAQUE = [kind for kind in PUSH if getattr(harnesses().get(kind), "opaque", True)]
PULL = [kind for kind in KINDS if adapters()[kind].manifest.mode == "pull"]
FAULTS = [
    pytest.param(kind, fault, id=f"{kind}-{fault}")
    for kind in PUSH
    for fault in getattr(harnesses().get(kind), "promises", {})
]
HERE = Path(adapters_package.__path__[0])


def folder(kind: str) -> Path:
    return HERE / kind.replace("-", "_")


@pytest.fixture(autouse=True)
def _waive(request: pytest.FixtureRequest) -> None:
    """A waived check must fail: one that passes again has to leave the list."""
    parameters = getattr(getattr(request.node, "callspec", None), "params", {})
    waived = KNOWN_NONCONFORMANT.get(str(parameters.get("kind")), frozenset())
    if request.node.originalname in waived:
        request.applymarker(pytest.mark.xfail(strict=True, reason="known nonconformant"))


@dataclass
class Case:
    """One adapter, connected to its own sandbox."""

    harness: PushHarness
    adapter: Adapter
    http: aiohttp.ClientSession


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with open_session() as session:
        yield session


async def _started(kind: str) -> AsyncIterator[Harness]:
    harness = harnesses()[kind]()
    await harness.start()
    try:
        yield harness
    finally:
        await harness.close()


@pytest.fixture
async def case(kind: str, http: aiohttp.ClientSession) -> AsyncIterator[Case]:
    async for harness in _started(kind):
        assert isinstance(harness, PushHarness)
        adapter = create(kind, harness.config, http=http, secrets=harness.resolve)
        yield Case(harness, adapter, http)
        await adapter.close()


@pytest.fixture
async def mailbox(kind: str) -> AsyncIterator[PullHarness]:
    async for harness in _started(kind):
        assert isinstance(harness, PullHarness)
        yield harness


# ---- what an adapter says about itself


def test_every_adapter_has_a_harness_and_every_folder_is_registered() -> None:
    assert set(harnesses()) == set(KINDS)
    folders = {each.name for each in HERE.iterdir() if (each / "manifest.py").exists()}
    assert folders == {folder(kind).name for kind in KINDS}


def test_the_waiver_list_only_shrinks() -> None:
    assert sum(map(len, KNOWN_NONCONFORMANT.values())) <= 0


@pytest.mark.parametrize("kind", KINDS)
def test_the_manifest_is_complete(kind: str) -> None:
    manifest = adapters()[kind].manifest
    assert manifest.kind == kind
    assert manifest.title_vi.strip()
    assert manifest.title_en.strip()
    assert set(manifest.secrets) <= set(adapters()[kind].config_model.model_fields)


@pytest.mark.parametrize("kind", KINDS)
def test_the_folder_has_the_common_shape(kind: str) -> None:
    for name in ("manifest.py", "config.py", "codec.py", "outbound.py", "sandbox.py", "README.md"):
        assert (folder(kind) / name).is_file(), name
    assert callable(importlib.import_module(f"adapters.{folder(kind).name}.sandbox").main)


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_documented(kind: str) -> None:
    readme = (folder(kind) / "README.md").read_text()
    for name, field in adapters()[kind].config_model.model_fields.items():
        assert field.title, name
        assert field.description, name
        extra = field.json_schema_extra
        assert isinstance(extra, dict), name
        assert extra["vi"], name
        assert field.examples, name
        assert f"`{name}`" in readme


@pytest.mark.parametrize("kind", KINDS)
def test_the_examples_make_a_valid_configuration(kind: str) -> None:
    fields = adapters()[kind].config_model.model_fields
    examples = {name: field.examples[0] for name, field in fields.items() if field.examples}
    assert parse_config(kind, examples).model_dump() == examples


@pytest.mark.parametrize("kind", KINDS)
def test_unknown_keys_are_refused_without_repeating_their_values(kind: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_config(kind, {"no_such_field": "a value that may be a secret"})
    assert "no_such_field" in caught.value.detail.en
    assert "may be a secret" not in str(caught.value) + caught.value.detail.vi


@pytest.mark.parametrize("kind", KINDS)
async def test_a_missing_or_weak_secret_is_named_and_not_shown(
    kind: str, http: aiohttp.ClientSession
) -> None:
    def missing(name: str) -> bytes:
        raise KeyError(name)

    async for harness in _started(kind):
        for field in adapters()[kind].manifest.secrets:
            with pytest.raises(ConfigurationError, match=str(harness.config[field])):
                create(kind, {**harness.config}, http=http, secrets=_only(harness, field, missing))
            with pytest.raises(ConfigurationError) as caught:
                create(
                    kind,
                    {**harness.config},
                    http=http,
                    secrets=_only(harness, field, lambda _: b"weak#"),
                )
            assert "weak#" not in str(caught.value)


def _only(harness: Harness, field: str, resolve):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Resolves as the harness does, but the secret of `field` as `resolve` does."""
    return lambda name: (resolve if name == harness.config[field] else harness.resolve)(name)


# ---- push: delivering


@pytest.mark.parametrize("kind", OPAQUE)
async def test_the_exact_bytes_arrive(case: Case) -> None:
    delivery = small(b'\xef\xbb\xbf<?xml version="1.0"?>\r\n<a>\xc4\x91\x00\xff</a>\n')
    outcome = await case.adapter.deliver(delivery)
    assert outcome.result is Result.DELIVERED
    assert outcome.partner_ref
    assert outcome.code == ""
    assert case.harness.body(delivery.message_id) == delivery.content


@pytest.mark.parametrize("kind", OPAQUE)
@pytest.mark.parametrize("size", [0, 1, 262_144, 262_145, 3_000_000])
async def test_originals_of_every_size_arrive_from_memory(case: Case, size: int) -> None:
    delivery = small(bytes(size))
    assert (await case.adapter.deliver(delivery)).result is Result.DELIVERED
    assert case.harness.body(delivery.message_id) == delivery.content


@pytest.mark.parametrize("kind", OPAQUE)
async def test_a_large_original_is_streamed(case: Case) -> None:
    delivery, original = large()
    assert (await case.adapter.deliver(delivery)).result is Result.DELIVERED
    assert case.harness.body(delivery.message_id) == original.content
    assert (original.opened, original.open_now) == (1, 0)


@pytest.mark.parametrize("kind", PUSH)
async def test_an_original_that_cannot_be_read_is_no_fault_of_the_partner(case: Case) -> None:
    delivery, original = case.harness.large(1_000_000)
    original.break_after = 300_000
    outcome = await case.adapter.deliver(delivery)
    assert (outcome.result, outcome.code) == (Result.TRANSIENT, "unavailable")
    assert case.harness.effects(delivery.message_id) == 0
    assert original.open_now == 0


@pytest.mark.parametrize("kind", PUSH)
@pytest.mark.parametrize("difference", [-1000, 1000])
async def test_an_original_of_another_size_than_the_ledger_says_is_not_delivered(
    case: Case, difference: int
) -> None:
    delivery, _ = case.harness.large(1_000_000)
    outcome = await case.adapter.deliver(replace(delivery, size=delivery.size + difference))
    assert (outcome.result, outcome.code) == (Result.TRANSIENT, "unavailable")
    assert case.harness.effects(delivery.message_id) == 0


@pytest.mark.parametrize("kind", PUSH)
async def test_a_repeat_has_one_effect_and_the_same_receipt(case: Case) -> None:
    delivery = case.harness.delivery()
    first = await case.adapter.deliver(delivery)
    second = await case.adapter.deliver(replace(delivery, attempt=2))
    assert (first.result, second.result) == (Result.DELIVERED, Result.DELIVERED)
    assert first.partner_ref == second.partner_ref
    assert case.harness.arrivals(delivery.message_id) == 2
    assert case.harness.effects(delivery.message_id) == 1


@pytest.mark.parametrize("kind", PUSH)
async def test_one_adapter_serves_many_deliveries_at_once(case: Case) -> None:
    deliveries = [case.harness.delivery() for _ in range(64)]
    outcomes = await asyncio.gather(*map(case.adapter.deliver, deliveries))
    assert {outcome.result for outcome in outcomes} == {Result.DELIVERED}
    assert len({outcome.partner_ref for outcome in outcomes}) == 64
    for delivery in deliveries:
        assert case.harness.body(delivery.message_id) == delivery.content


# ---- push: faults


async def switched_on(case: Case, fault: str) -> None:
    """After a delivery that went well: a pooled connection and a session meet the fault as well."""
    assert (await case.adapter.deliver(case.harness.delivery())).result is Result.DELIVERED
    await case.harness.set_fault(fault)
    if fault == "refuse":  # until the pool has seen the end, its connections are only "cut"
        plain = case.adapter.plain if isinstance(case.adapter, RestPush) else None
        await wait_until(
            lambda: not pooled(case.http) and not (plain and plain.kept), what="the pool empty"
        )


async def attempt_in_time(case: Case, delivery: object) -> Outcome:
    start = time.monotonic()
    outcome = await case.adapter.deliver(delivery)  # type: ignore[arg-type]
    assert time.monotonic() - start <= case.harness.deadline
    return outcome


@pytest.mark.parametrize("kind", PUSH)
def test_every_kind_of_fault_is_tried(kind: str) -> None:
    usual = {"500", "503", "hang", "refuse", "garbage", "slow", "reject", "cut", "half"}
    assert usual <= set(getattr(harnesses()[kind], "promises", {}))


@pytest.mark.parametrize(("kind", "fault"), FAULTS)
async def test_a_fault_yields_the_promised_outcome_in_time(case: Case, fault: str) -> None:
    await switched_on(case, fault)
    delivery, promise = case.harness.delivery(), case.harness.promises[fault]
    outcome = await attempt_in_time(case, delivery)
    assert (outcome.result, outcome.code) == (promise.result, promise.code)
    assert outcome.retry_after == promise.retry_after
    assert outcome.partner_ref == ""
    assert 0 < len(outcome.detail) <= 500
    assert len(outcome.answer) <= 2000
    assert outcome.code in {each.code for each in _tree(LgspError)}
    assert case.harness.effects(delivery.message_id) == int(promise.effect)


def _tree(root: type[LgspError]) -> set[type[LgspError]]:
    return {root}.union(*(_tree(each) for each in root.__subclasses__()))


@pytest.mark.parametrize(("kind", "fault"), FAULTS)
async def test_a_fault_under_a_large_original_leaves_nothing_open(case: Case, fault: str) -> None:
    await switched_on(case, fault)
    delivery, original = case.harness.large(2_000_000)
    outcome = await case.adapter.deliver(delivery)
    assert outcome.result is case.harness.promises[fault].result
    await wait_until(lambda: original.open_now == 0, what="the original closed")
    await wait_until(lambda: idle(case.http), what="no connection held")


@pytest.mark.parametrize(("kind", "fault"), FAULTS)
async def test_it_works_again_after_the_partner_recovers(case: Case, fault: str) -> None:
    await case.harness.set_fault(fault)
    delivery = case.harness.delivery()
    outcome = await case.adapter.deliver(delivery)
    await case.harness.recover()
    again = replace(delivery, attempt=2, maybe_sent=outcome.result is Result.UNKNOWN)
    assert (await case.adapter.deliver(again)).result is Result.DELIVERED
    assert case.harness.effects(delivery.message_id) == 1


@pytest.mark.parametrize("kind", PUSH)
async def test_cancellation_leaves_nothing_behind(case: Case) -> None:
    await switched_on(case, "hang")
    delivery, original = case.harness.large(1_000_000)
    task = asyncio.create_task(case.adapter.deliver(delivery))
    await wait_until(lambda: case.harness.arrivals(delivery.message_id), what="its arrival")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await wait_until(lambda: original.open_now == 0, what="the original closed")
    await wait_until(lambda: idle(case.http), what="no connection held")
    await case.harness.recover()
    assert (await case.adapter.deliver(case.harness.delivery())).result is Result.DELIVERED


# ---- push: look-up


@pytest.mark.parametrize("kind", [each for each in PUSH if adapters()[each].manifest.looks_up])
async def test_what_has_arrived_is_not_sent_again(case: Case) -> None:
    await switched_on(case, "cut")
    delivery = case.harness.delivery()
    assert (await case.adapter.deliver(delivery)).result is Result.UNKNOWN
    await case.harness.recover()
    outcome = await case.adapter.deliver(replace(delivery, attempt=2, maybe_sent=True))
    assert outcome.result is Result.DELIVERED
    assert outcome.partner_ref
    assert case.harness.lookups == 1
    assert case.harness.arrivals(delivery.message_id) == 1


@pytest.mark.parametrize("kind", [each for each in PUSH if adapters()[each].manifest.looks_up])
async def test_what_has_not_arrived_is_sent_after_the_look_up(case: Case) -> None:
    delivery = case.harness.delivery(maybe_sent=True)
    assert (await case.adapter.deliver(delivery)).result is Result.DELIVERED
    assert case.harness.lookups == 1
    assert case.harness.arrivals(delivery.message_id) == 1


@pytest.mark.parametrize("kind", [each for each in PUSH if adapters()[each].manifest.looks_up])
@pytest.mark.parametrize("fault", ["500", "503", "hang", "refuse", "garbage", "cut", "half"])
async def test_a_failed_look_up_sends_nothing_and_stays_unknown(case: Case, fault: str) -> None:
    await case.harness.set_fault(fault)
    delivery = case.harness.delivery(maybe_sent=True)
    outcome = await attempt_in_time(case, delivery)
    assert outcome.result is Result.UNKNOWN
    assert case.harness.arrivals(delivery.message_id) == 0


@pytest.mark.parametrize("kind", [each for each in PUSH if adapters()[each].manifest.looks_up])
async def test_a_first_attempt_asks_nothing(case: Case) -> None:
    await case.adapter.deliver(case.harness.delivery())
    assert case.harness.lookups == 0


# ---- push: secrets


@pytest.mark.parametrize("kind", PUSH)
async def test_secrets_and_content_reach_no_log_repr_or_outcome(
    case: Case, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    outcomes = [await case.adapter.deliver(case.harness.delivery())]
    for fault in case.harness.promises:
        await case.harness.set_fault(fault)
        delivery = case.harness.delivery()
        outcomes.append(await case.adapter.deliver(delivery))
        assert CITIZEN.decode() not in repr(delivery)
    shown = caplog.text + repr(outcomes) + repr(case.adapter)
    assert CITIZEN.decode() not in shown
    for secret in case.harness.secrets.values():
        assert secret.decode() not in shown


# ---- pull


@pytest.mark.parametrize("kind", PULL)
async def test_deliver_of_a_pull_adapter_is_a_programming_error(
    kind: str, http: aiohttp.ClientSession
) -> None:
    adapter = create(kind, {}, http=http, secrets=lambda _: b"")
    with pytest.raises(TypeError, match="mailbox"):
        await adapter.deliver(small())
    await adapter.close()


@pytest.mark.parametrize("kind", PULL)
async def test_what_waits_is_fetched_stored_once_and_acknowledged(mailbox: PullHarness) -> None:
    ids = [await mailbox.put(b"<edXML>%d</edXML>" % number) for number in range(250)]
    assert await mailbox.poll() == 250
    assert all(mailbox.effects(each) == 1 and mailbox.acknowledged(each) for each in ids)
    assert await mailbox.poll() == 0


@pytest.mark.parametrize("kind", PULL)
@pytest.mark.parametrize("place", ["after-fetch", "after-store"])
async def test_a_crash_of_the_receiver_loses_and_doubles_nothing(
    mailbox: PullHarness, place: str
) -> None:
    ids = [await mailbox.put(b"<edXML>%d</edXML>" % number) for number in range(3)]
    mailbox.crash_next(place)
    assert await mailbox.poll() == 0
    assert not any(map(mailbox.acknowledged, ids))
    assert await mailbox.poll() == 3
    assert all(mailbox.effects(each) == 1 and mailbox.acknowledged(each) for each in ids)
