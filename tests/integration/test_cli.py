"""Seeing and mending the flow with the real command over a real ledger."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest

from bus.cli.lang import choose
from schemas.delivery import DeliveryState
from schemas.message import Lane
from tests.integration.cli_harness import HEALTH, HOME_AFFAIRS, OFFICE, ROOT, WARD, Cli, Traffic

NOBODY = "01a0c450-6c00-7000-8000-000000000001"
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00")


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger with the province in force and no traffic, for every test to copy."""
    folder = tmp_path_factory.mktemp("opened")
    Cli(f"sqlite+aiosqlite:///{folder}/ledger.db", folder).set_up()
    return folder / "ledger.db"


@pytest.fixture
def cli(opened: Path, tmp_path: Path) -> Cli:
    shutil.copy(opened, tmp_path / "ledger.db")
    return Cli(f"sqlite+aiosqlite:///{tmp_path}/ledger.db", tmp_path)


@pytest.fixture
async def traffic(cli: Cli) -> AsyncIterator[Traffic]:
    traffic = await Traffic.open(cli)
    yield traffic
    await traffic.ledger.close()


# --- the command itself ---------------------------------------------------------------------------


def test_help_is_there_at_once_in_both_languages(cli: Cli) -> None:
    began = time.monotonic()
    english = cli("--help").out
    assert time.monotonic() - began < 3, "0.25 s on a quiet machine"
    assert "Examples:" in english
    assert "lgsp apply -f province/" in english
    assert "Ví dụ:" in cli("--help", lang="vi").out
    for command in ("message list", "delivery replay", "client key retire", "explain", "apply"):
        assert "lgsp" in cli(*command.split(), "--help").out


@pytest.mark.parametrize(
    ("arguments", "environment", "lang"),
    [
        ([], {}, "vi"),
        ([], {"LANG": "C.UTF-8"}, "vi"),
        ([], {"LANG": "en_US.UTF-8"}, "en"),
        ([], {"LANG": "en_US.UTF-8", "LC_ALL": "vi_VN.UTF-8"}, "vi"),
        ([], {"LANG": "en_US.UTF-8", "LGSP_LANG": "vi"}, "vi"),
        (["--lang", "en", "health"], {"LGSP_LANG": "vi"}, "en"),
        (["--lang=vi", "health"], {"LANG": "en_US"}, "vi"),
        (["health", "--lang"], {}, "vi"),
    ],
)
def test_language_is_the_one_asked_for(
    arguments: list[str], environment: dict[str, str], lang: str
) -> None:
    assert choose(arguments, environment) == lang


def test_help_loads_neither_database_nor_broker() -> None:
    """What a person waits for when asking for help."""
    probe = (
        "import sys; from bus.cli.app import app\n"
        "heavy = {'sqlalchemy', 'aio_pika', 'fastapi', 'pydantic', 'asyncpg', 'rich.table'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"


def test_wrong_usage_is_status_2(cli: Cli) -> None:
    cli("message", "list", "--since", "yesterday", code=2)
    cli("delivery", "list", "--state", "lost", code=2)
    cli("apply", "-f", "province", code=2)  # without a reason


def test_wrong_settings_are_status_2_and_name_the_key(cli: Cli) -> None:
    done = cli("message", "list", code=2, env={"LGSP_HTTP_PROT": "1"})
    assert "LGSP_HTTP_PROT" in done.err
    assert "Who must act: the administrator of the bus" in done.err


def test_ledger_that_does_not_answer_is_status_3_and_says_who_must_act(cli: Cli) -> None:
    gone = {"LGSP_DATABASE_URL": "postgresql+asyncpg://lgsp:trap@127.0.0.1:1/none"}
    done = cli("message", "list", code=3, lang="vi", env=gone)
    assert "[ledger-unavailable]" in done.err
    assert "Ai xử lý: đơn vị vận hành trục" in done.err
    assert "Bước tiếp theo:" in done.err
    assert "trap" not in done.err
    failure = orjson.loads(cli("message", "list", "--json", code=3, env=gone).err)["error"]
    assert (failure["code"], failure["actor"]) == ("ledger-unavailable", "operator")
    assert failure["title"]["vi"] != failure["title"]["en"]


def test_database_without_a_ledger_says_what_to_run_and_is_left_alone(
    cli: Cli, tmp_path: Path
) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/none.db"
    assert "lgsp migrate" in cli("message", "list", code=2, env={"LGSP_DATABASE_URL": url}).err
    assert not (tmp_path / "none.db").exists()
    (tmp_path / "none.db").touch()
    assert "lgsp migrate" in cli("message", "list", code=2, env={"LGSP_DATABASE_URL": url}).err


def test_settings_are_shown_without_passwords(cli: Cli) -> None:
    secret = {"LGSP_BROKER_URL": "amqp://bus:trap@127.0.0.1:1/"}
    done = cli("settings", "show", env=secret)
    assert "amqp://bus:***@127.0.0.1:1/" in done.out
    shown = orjson.loads(cli("settings", "show", "--json", env=secret).out)
    assert (shown["brokerUrl"], shown["httpPort"]) == ("amqp://bus:***@127.0.0.1:1/", 8080)
    assert "trap" not in done.out + str(shown)


# --- messages -------------------------------------------------------------------------------------


async def test_messages_are_listed_newest_first_in_pages(cli: Cli, traffic: Traffic) -> None:
    ids = [await traffic.send(HEALTH) for _ in range(3)]
    first = cli.json("message", "list", "--limit", 2)
    assert [item["id"] for item in first["items"]] == [ids[2], ids[1]]
    second = cli.json("message", "list", "--limit", 2, "--after", first["next"])
    assert [item["id"] for item in second["items"]] == [ids[0]]
    assert second["next"] is None
    item = second["items"][0]
    assert (item["sender"], item["receivers"], item["documentCode"]) == (
        OFFICE,
        [HEALTH],
        "1/UBND-VX",
    )
    assert RFC3339.fullmatch(item["acceptedAt"])


async def test_messages_are_filtered(cli: Cli, traffic: Traffic) -> None:
    message_id = await traffic.send(HEALTH, document="d7")
    await traffic.send(HEALTH)
    found = cli.json("message", "list", "--document", "d7", "--sender", OFFICE, "--since", "1h")
    assert [item["id"] for item in found["items"]] == [message_id]
    assert cli.json("message", "list", "--sender", HEALTH)["items"] == []
    assert cli.json("message", "list", "--since", "2999-01-01")["items"] == []


async def test_list_for_people_keeps_whole_lines_in_a_pipe(cli: Cli, traffic: Traffic) -> None:
    message_id = await traffic.send(HEALTH, HOME_AFFAIRS)
    out = cli("message", "list").out
    line = next(line for line in out.splitlines() if message_id in line)
    assert f"{HEALTH} {HOME_AFFAIRS}" in line
    assert "\x1b" not in out
    assert "Kín: ông A" not in out, "the subject is nobody's business in a list"


async def test_message_shows_its_deliveries_and_nothing_steers_the_terminal(
    cli: Cli, traffic: Traffic
) -> None:
    message_id = await traffic.send(HEALTH, HOME_AFFAIRS)
    await traffic.dead(message_id)
    shown = cli.json("message", "show", message_id)
    assert [(d["endpoint"], d["state"]) for d in shown["deliveries"]] == [
        ("so-y-te", "dead"),
        ("hop-thu", "queued"),
    ]
    out = cli("message", "show", message_id).out
    assert "✗ dead" in out
    assert "partner-timeout: no answer in 20 s" in out
    assert "\x1b" not in out


async def test_trace_tells_the_story_in_order(cli: Cli, traffic: Traffic) -> None:
    message_id = await traffic.send(HEALTH)
    number = await traffic.delivered(message_id)
    items = cli.json("message", "trace", message_id)["items"]
    assert [(i["event"], i["deliveryId"]) for i in items] == [
        ("accepted", None),
        ("delivered", number),
    ]
    assert items[1]["data"]["partnerRef"] == "YT-1"
    assert items[0]["at"] <= items[1]["at"]
    assert "partnerRef=YT-1" in cli("message", "trace", message_id).out


async def test_explain_says_why_in_both_languages(cli: Cli, traffic: Traffic) -> None:
    message_id = await traffic.send(WARD, HOME_AFFAIRS, "H38.99")
    english = cli("explain", message_id).out
    assert f"{WARD}: hold" in english
    assert "đang sáp nhập" in english
    assert f"{HOME_AFFAIRS}: deliver → hop-thu" in english
    assert "H38.99: unknown agency" in english
    assert f"{WARD}: giữ lại" in cli("explain", message_id, lang="vi").out
    receivers = cli.json("explain", message_id)["decision"]["receivers"]
    assert [r["outcome"] for r in receivers] == ["hold", "deliver", "unknown"]
    assert {"vi", "en"} == receivers[0]["steps"][0].keys()


def test_unknown_message_is_status_4(cli: Cli) -> None:
    for command in (["message", "show"], ["message", "trace"], ["explain"]):
        assert NOBODY in cli(*command, NOBODY, code=4).err


# --- deliveries -----------------------------------------------------------------------------------


async def test_deliveries_are_filtered(cli: Cli, traffic: Traffic) -> None:
    number = await traffic.dead(await traffic.send(HEALTH))
    await traffic.send(HOME_AFFAIRS)
    found = cli.json("delivery", "list", "--state", "dead", "--endpoint", "so-y-te")
    assert [item["id"] for item in found["items"]] == [number]
    assert cli.json("delivery", "list", "--code", "partner-garbage")["items"] == []
    assert len(cli.json("delivery", "list")["items"]) == 2


async def test_replay_of_one_sends_it_again(cli: Cli, traffic: Traffic) -> None:
    message_id = await traffic.send(HEALTH)
    number = await traffic.dead(message_id)
    done = cli.json("delivery", "replay", number, "--reason", "partner mended")
    assert done == {"done": [number], "skipped": [], "dryRun": False}
    assert await traffic.delivered(message_id) == number, "a worker can take it again"
    entry = next(
        i for i in cli.json("message", "trace", message_id)["items"] if i["event"] == "replayed"
    )
    assert entry["actor"].startswith("cli:")
    assert entry["data"]["reason"] == "partner mended"


async def test_what_a_route_holds_goes_where_it_was_decided(cli: Cli, traffic: Traffic) -> None:
    held, behind = [await traffic.send(WARD, key="doc-a") for _ in range(2)]
    first, second = [cli.json("message", "show", i)["deliveries"][0] for i in (held, behind)]
    assert (first["state"], first["endpoint"]) == ("held", "so-y-te")
    assert "held by route giu-lai: đang sáp nhập" in first["detail"]
    assert cli.json("delivery", "replay", "--state", "dead", "--since", "1h", "--yes")["done"] == []
    file = cli.declared / "all.yaml"
    text = file.read_text("utf-8").replace("action: hold", "endpoint: hop-thu")
    file.write_text(text, "utf-8")
    cli("apply", "-f", "province", "--reason", "merged")
    assert cli.json("message", "show", held)["deliveries"][0]["state"] == "held"
    assert cli.json("delivery", "replay", first["id"])["done"] == [first["id"]]
    shown = cli.json("message", "show", held)["deliveries"][0]
    assert (shown["state"], shown["endpoint"]) == ("queued", "so-y-te"), "the decision stands"
    assert await traffic.ledger.claim([second["id"]]) == [], "it waits behind the first"
    assert await traffic.delivered(held) == first["id"]


async def test_what_waits_for_a_declaration_goes_after_it(cli: Cli, traffic: Traffic) -> None:
    """Accepted by a gateway that did not have the endpoint yet."""
    endpoint = traffic.endpoints.pop("so-y-te")
    held = await traffic.send(HEALTH)
    (row,) = cli.json("message", "show", held)["deliveries"]
    assert row["state"] == "held"
    assert "endpoint so-y-te is not declared" in row["detail"]
    traffic.endpoints["so-y-te"] = endpoint
    chosen = ("delivery", "replay", "--state", "held", "--endpoint", "so-y-te")
    assert cli.json(*chosen, "--yes")["done"] == [row["id"]]
    assert await traffic.delivered(held) == row["id"]


async def test_what_cannot_be_replayed_is_named_with_status_1(cli: Cli, traffic: Traffic) -> None:
    dead = await traffic.dead(await traffic.send(HEALTH))
    delivered = await traffic.delivered(await traffic.send(HEALTH))
    done = cli.json("delivery", "replay", dead, delivered, 999_999, "--yes", code=1)
    assert (done["done"], done["skipped"]) == ([dead], [delivered, 999_999])


async def test_many_are_replayed_by_filter_only_after_a_yes(cli: Cli, traffic: Traffic) -> None:
    dead = [await traffic.dead(await traffic.send(HEALTH)) for _ in range(3)]
    other = await traffic.dead(await traffic.send(HEALTH), code="partner-garbage")
    chosen = ("delivery", "replay", "--endpoint", "so-y-te", "--code", "partner-timeout")
    assert cli.json(*chosen, "--dry-run")["done"] == dead
    assert "add --yes" in cli(*chosen, code=2).err
    assert len(cli.json("delivery", "list", "--state", "dead")["items"]) == 4, "nothing was done"
    assert cli.json(*chosen, "--yes")["done"] == dead
    left = cli.json("delivery", "list", "--state", "dead")["items"]
    assert [item["id"] for item in left] == [other]


async def test_a_replay_is_paced_and_undone(cli: Cli, traffic: Traffic) -> None:
    dead = [await traffic.dead(await traffic.send(HEALTH)) for _ in range(3)]
    waits = await traffic.send(HEALTH)
    paced = ("delivery", "replay", "--state", "dead", "--rate", "1000", "--yes")
    assert cli.json(*paced)["done"] == dead
    undo = ("delivery", "replay", "--undo", "--endpoint", "so-y-te")
    assert cli.json(*undo, "--dry-run")["done"] == dead, "not what was never tried"
    assert cli.json(*undo, "--yes", "--reason", "too early")["done"] == dead
    assert cli.json(*undo, "--yes")["done"] == []
    assert await traffic.delivered(waits)
    cli("delivery", "replay", "--undo", "--state", "dead", "--yes", code=2)


async def test_cancel_withdraws_what_has_not_left(cli: Cli, traffic: Traffic) -> None:
    first, second = (
        await traffic.send(HEALTH, key="d"),
        await traffic.send(HEALTH, key="d"),
    )
    (number,) = [row.id for row in await traffic.ledger.queries.deliveries_of(first)]
    assert cli.json("delivery", "cancel", number, "--reason", "wrong")["done"] == [number]
    row = await traffic.ledger.queries.delivery(number)
    assert row is not None
    assert row.state is DeliveryState.CANCELLED
    await traffic.delivered(second)  # its turn has come
    assert cli.json("delivery", "cancel", number, code=1)["skipped"] == [number]


@pytest.mark.parametrize("verb", ["replay", "cancel"])
def test_neither_ids_nor_filter_is_wrong_usage(cli: Cli, verb: str) -> None:
    cli("delivery", verb, "--yes", code=2)
    cli("delivery", verb, "7", "--endpoint", "so-y-te", "--yes", code=2)
    cli("delivery", verb, "--state", "delivered", "--yes", code=2)


# --- endpoints, agencies, clients -----------------------------------------------------------------


async def test_endpoints_show_state_and_backlog(cli: Cli, traffic: Traffic) -> None:
    await traffic.dead(await traffic.send(HEALTH))
    await traffic.send(HEALTH, lane=Lane.URGENT)
    await traffic.ledger.open_breaker("so-y-te", probe_at=1, error="refused")
    mailbox, push = cli.json("endpoint", "list")["items"]
    assert (mailbox["name"], mailbox["breaker"], mailbox["oldest"]) == ("hop-thu", "closed", None)
    assert (push["kind"], push["breaker"], push["lastError"]) == ("rest-push", "open", "refused")
    assert (push["backlog"]["queued"], push["backlog"]["dead"]) == (1, 1)
    assert RFC3339.fullmatch(push["oldest"])
    assert "✗ breaker open" in cli("endpoint", "list").out


async def test_endpoint_is_paused_and_resumed(cli: Cli, traffic: Traffic) -> None:
    cli("endpoint", "pause", "so-y-te", "--reason", "maintenance")
    state = (await traffic.ledger.queries.endpoint_states())["so-y-te"]
    assert (state.paused, state.pause_reason) == (True, "maintenance")
    assert "‖ paused" in cli("endpoint", "list").out
    assert cli.json("endpoint", "resume", "so-y-te") == {"name": "so-y-te", "paused": False}
    assert not (await traffic.ledger.queries.endpoint_states())["so-y-te"].paused
    assert "so-x" in cli("endpoint", "pause", "so-x", code=4).err


def test_agencies_are_searched_without_diacritics(cli: Cli) -> None:
    found = cli.json("agency", "list", "y te")["items"]
    assert [item["code"] for item in found] == [HEALTH, WARD]
    assert (found[1]["endpoint"], found[1]["inheritedFrom"]) == ("so-y-te", HEALTH)
    assert [i["code"] for i in cli.json("agency", "list", "--under", HEALTH)["items"]] == [
        HEALTH,
        WARD,
    ]
    page = cli.json("agency", "list", "--limit", 2)
    assert page["next"] == OFFICE
    assert len(cli.json("agency", "list", "--after", page["next"])["items"]) == 3
    cli("agency", "list", "--under", "H99", code=4)


def test_agency_tree(cli: Cli) -> None:
    lines = cli("agency", "list", "--tree").out.splitlines()
    indents = {
        code: line.index(code) for line in lines for code in re.findall(r"H[\d.]+", line)[:1]
    }
    assert indents["H38"] < indents[HEALTH] < indents[WARD]
    assert "so-y-te (← H38.02)" in next(line for line in lines if WARD in line)


async def test_client_keys_rotate_with_overlap(cli: Cli, traffic: Traffic) -> None:
    identities, clock = traffic.ledger.identities, traffic.ledger.clock
    old = cli("client", "key", "add", "van-phong").out.strip()
    new = cli.json("client", "key", "add", "van-phong", "--expires-in", "365d")
    assert await identities.check_key("van-phong", old, now=clock())
    assert await identities.check_key("van-phong", new["key"], now=clock())
    keys = cli("client", "key", "list", "van-phong").out
    assert new["hint"] in keys
    assert new["key"] not in keys
    hint = next(k["hint"] for k in cli.json("client", "key", "list", "van-phong")["items"])
    cli("client", "key", "retire", "van-phong", hint, "--in", "24h")
    assert await identities.check_key("van-phong", old, now=clock()), "still good for a day"
    cli("client", "key", "retire", "van-phong", hint)
    assert not await identities.check_key("van-phong", old, now=clock())
    assert cli.json("client", "list")["items"][0]["keysInForce"] == 1
    cli("client", "key", "retire", "van-phong", hint, code=4)
    cli("client", "key", "add", "nobody", code=4)
    journal = await traffic.ledger.queries.journal()
    events = [entry.event for entry in journal if entry.event.startswith("client-key")]
    assert sorted(events) == ["client-key-added"] * 2 + ["client-key-retired"] * 2
    assert all(new["key"] not in str(entry.data) for entry in journal)
