"""The documentation is true: its examples run, its commands, metrics and links exist."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tomllib
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from bus.cli.app import app
from bus.ops.metrics import Metrics
from bus.settings import NOT_SETTINGS, SECRET_PREFIX, Settings
from schemas import exchange
from schemas.delivery import TERMINAL, TRANSITIONS, DeliveryState

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "deploy" / "docs"
PAGES = [
    ROOT / "README.md",
    *sorted(DOCS.rglob("*.md")),
    *sorted(ROOT.glob("adapters/**/README.md")),
]
SECONDS = 240
pytestmark = pytest.mark.timeout(280)  # behind the one above: it shows what was printed

_TESTED = re.compile(r"^<!-- test -->\n```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_TOML = re.compile(r"^```toml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"^```.*?\n(.*?)^```$|`([^`\n]+)`", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"(?:^|[\s;(|&])lgsp ((?:[^\s`;|&>)#]+ ?)+)", re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_METRIC = re.compile(r"\blgsp_[a-z_]+[a-z]\b")
_VARIABLE = re.compile(r"\bLGSP_[A-Z_]+[A-Z]\b")

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def exchange_diagram() -> str:
    """The life of a document at a receiver, with the events on the arrows."""
    lines = ["stateDiagram-v2", "    [*] --> sent"]
    for state, onward in exchange.TRANSITIONS.items():
        ways: dict[str, list[str]] = {}
        for event, to in onward.items():
            ways.setdefault(to, []).append(event)
        lines += [f"    {state} --> {to}: {', '.join(events)}" for to, events in ways.items()]
    lines += [
        f"    {state} --> [*]" for state in exchange.ExchangeState if state in exchange.TERMINAL
    ]
    return "\n".join(lines) + "\n"


def diagram() -> str:
    """The table of states as a Mermaid diagram, in the order of the table."""
    lines = ["stateDiagram-v2", "    [*] --> queued"]
    for state in DeliveryState:
        lines += [
            f"    {state} --> {onward}" for onward in DeliveryState if onward in TRANSITIONS[state]
        ]
    lines += [f"    {state} --> [*]" for state in DeliveryState if state in TERMINAL]
    return "\n".join(lines) + "\n"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _script(page: Path) -> str:
    """The page's examples as one script, on ports that are free."""
    blocks = _TESTED.findall(page.read_text("utf-8"))
    assert len(blocks) > 5, "the examples are gone"
    text = "\n".join(blocks)
    for port in ("8080", "9102"):
        text = text.replace(port, str(_free_port()))
    return "set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n" + text


def _run(script: str, folder: Path, *, seconds: float = SECONDS) -> str:
    """What the script printed; it must end with status 0. Nothing of it is left behind."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LGSP_")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    process = subprocess.Popen(
        ["bash", "-c", script],
        cwd=folder,
        env=kept | {"PATH": path, "PYTHONPATH": str(ROOT), "LGSP_LANG": "en"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        pytest.fail(f"the examples did not end within {seconds} s:\n{output[-3000:]}")
    assert process.returncode == 0, output[-3000:]
    return output


@pytest.mark.skipif(shutil.which("curl") is None, reason="the examples need curl")
def test_connecting_a_document_system_works_as_written(tmp_path: Path) -> None:
    _run(_script(DOCS / "connect-document-system.md"), tmp_path)
    receipt = json.loads((tmp_path / "receipt.json").read_text())
    book = (tmp_path / "so-y-te.ndjson").read_text()
    arrivals = [json.loads(line) for line in book.splitlines()]
    assert [each["message_id"] for each in arrivals] == [receipt["messageId"]]
    assert arrivals[0]["sha256"] == receipt["sha256"]
    fetched = hashlib.sha256((tmp_path / "received.edxml").read_bytes()).hexdigest()
    assert fetched == receipt["sha256"]
    followed = json.loads((tmp_path / "message.json").read_text())["deliveries"]
    states = {each["endpoint"]: (each["state"], each["partnerRef"]) for each in followed}
    assert states == {
        "so-y-te": ("delivered", arrivals[0]["receipt"]),
        "huyen-nam-khao": ("delivered", "VB-0001"),
    }
    answers = json.loads((tmp_path / "answers.json").read_text())["items"]
    assert [(each["kind"], each["sender"]) for each in answers] == [("status", "H99.31")]


@pytest.mark.skipif(shutil.which("curl") is None, reason="the examples need curl")
@pytest.mark.usefixtures("php")
def test_connecting_over_soap_works_as_written(tmp_path: Path) -> None:
    _run(_script(DOCS / "connect-over-soap.md"), tmp_path)
    sent = hashlib.sha256((tmp_path / "packet.edxml").read_bytes()).hexdigest()
    assert f"<sha256>{sent}</sha256>" in (tmp_path / "receipt.xml").read_text()
    assert (tmp_path / "done.txt").read_text() == "9/SXD-VP delivered\n"
    answers = (tmp_path / "answers.xml").read_text()
    assert "<kind>status</kind><sender>H99.31</sender>" in answers
    assert "<code>forbidden</code>" in (tmp_path / "fault.xml").read_text()


@pytest.mark.skipif(shutil.which("curl") is None, reason="the examples need curl")
def test_rolling_keys_over_works_as_written(tmp_path: Path) -> None:
    _run(_script(DOCS / "roll-keys-over.md"), tmp_path)
    assert (tmp_path / "before.txt").read_text().split() == ["200"] * 3
    assert (tmp_path / "after.txt").read_text().split() == ["401", "200"]
    assert json.loads((tmp_path / "checked.json").read_text())["clean"]
    assert [each["name"] for each in json.loads((tmp_path / "endpoints.json").read_text())["items"]]


@pytest.mark.skipif(shutil.which("curl") is None, reason="the examples need curl")
def test_connecting_one_stop_software_works_as_written(tmp_path: Path) -> None:
    _run(_script(DOCS / "connect-one-stop-software.md"), tmp_path)
    shown = json.loads((tmp_path / "shown.json").read_text())
    assert [step["stepId"] for step in shown["steps"]] == ["1", "2", "3"]
    assert [portal["endpoint"] for portal in shown["portals"]] == ["cong-tinh"]
    assert json.loads((tmp_path / "problem.json").read_text())["context"]["field"] == "status"
    figures = json.loads((tmp_path / "figures.json").read_text())["total"]
    assert (figures["received"], figures["early"], figures["inTime"]) == (1, 1, 1)
    waiting = json.loads((tmp_path / "mailbox.json").read_text())["items"]
    assert len(waiting) == 6, "one delivery of each dossier"


@pytest.mark.skipif(shutil.which("curl") is None, reason="the examples need curl")
def test_publishing_progress_works_as_written(tmp_path: Path) -> None:
    _run(_script(DOCS / "publish-dossier-progress.md"), tmp_path)
    first, second = "H99.19-250804-0001", "H99.31-250804-0001"

    def told(name: str) -> list[tuple[str, str, str]]:
        lines = (tmp_path / name).read_text().splitlines()
        events = [json.loads(line.removeprefix("data: ")) for line in lines]
        return [(each["code"], each["kind"], each["data"].get("id", "")) for each in events]

    def story(code: str) -> list[tuple[str, str, str]]:
        return [(code, "dossier", ""), (code, "step", "1"), (code, "step", "2")]

    assert [each for each in told("published.ndjson") if each[0] == first] == story(first)
    assert told("member.ndjson") == story(second)
    assert told("stream.txt") == story(first) + story(second)
    assert told("resumed.txt") == story(second)[1:]
    assert (tmp_path / "refused.txt").read_text() == "401\n"
    published = (tmp_path / "published.ndjson").read_text() + (tmp_path / "stream.txt").read_text()
    assert "Nguyễn Văn Mẫu" not in published
    assert json.loads((tmp_path / "totals.json").read_text())["countedAt"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="the examples need curl")
def test_connecting_with_the_axis_client_works_as_written(tmp_path: Path) -> None:
    _run(_script(DOCS / "connect-with-axis-client.md"), tmp_path)

    def answered(name: str) -> Any:
        return json.loads((tmp_path / f"{name}.json").read_text())

    assert (tmp_path / "received.edxml").read_bytes() == (tmp_path / "packet.edxml").read_bytes()
    assert answered("left")["count"] == 0
    assert [row["from"] for row in answered("answers")["data"]] == ["H99.31"]
    (followed,) = answered("followed")["data"]
    assert (followed["senderDocId"], followed["toCode"]) == (answered("sent")["DocId"], "H99.31")
    assert followed["receiveStatus"] == "done"
    assert {row["code"] for row in answered("agencies")["data"]} == {"H99", "H99.14", "H99.31"}
    refused = ("replayed", "wrong-secret", "not-its-agency", "not-transport")
    assert [answered(name)["ErrorCode"] for name in refused] == ["15", "15", "19", "10"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="the examples need curl")
def test_publishing_a_soap_service_works_as_written(tmp_path: Path) -> None:
    _run(_script(DOCS / "publish-soap-as-json.md"), tmp_path)

    def answered(name: str) -> Any:
        return json.loads((tmp_path / f"{name}.json").read_text())

    assert answered("whole")["CongDan"]["HoVaTen"] == "NGUYỄN THỊ MẪU"
    assert answered("count") == {"So": 2}
    assert answered("then") == {"So": 1}
    limited = answered("limited")["CongDan"]
    assert limited["HoVaTen"] == "NGUYỄN THỊ MẪU"
    assert limited["NgaySinh"] == limited["DiaChi"]["Tinh"] == {"#withheld": True}
    codes = {
        "wrong-purpose": "forbidden",
        "no-officer": "invalid-request",
        "mismatch": "contract-mismatch",
        "fault": "partner-refused",
        "suspended": "service-suspended",
    }
    assert {name: answered(name)["code"] for name in codes} == codes
    assert answered("fault")["fault"]["reason"] == "số định danh 999999999999 sai"
    assert ":So>2</" in (tmp_path / "count.xml").read_text()
    assert "/services/cong-dan" in (tmp_path / "published.wsdl").read_text()
    officers = [each["officer"] for each in answered("accesses")["items"]]
    assert officers == ["CB-77", "CB-01"], "newest first, and nobody who was refused"
    assert answered("diff")["breaking"] > 0
    assert [item["name"] for item in answered("mine")["items"]] == ["cong-dan"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="the examples need curl")
def test_calling_a_national_database_works_as_written(tmp_path: Path) -> None:
    _run(_script(DOCS / "call-national-database.md"), tmp_path)

    def answered(name: str) -> Any:
        return json.loads((tmp_path / f"{name}.json").read_text())

    (citizen,) = answered("citizen")["citizens"]
    assert (citizen["fullName"], citizen["birthDate"]) == ("NGUYỄN THỊ MẪU", "1999-01-31")
    assert answered("verified") == {"verified": True}
    assert answered("enterprise")["enterprise"]["capital"] == "5000000000.10"
    assert answered("nobody") == {"citizens": []}
    (limited,) = answered("limited")["citizens"]
    assert limited["fullName"] == "NGUYỄN THỊ MẪU"
    assert limited["permanentResidence"]["commune"] == "00001"
    assert limited["identityNumber"] == limited["father"] == {"#withheld": True}
    codes = {
        "no-officer": "invalid-request",
        "wrong-purpose": "forbidden",
        "mismatch": "contract-mismatch",
        "no-grant": "forbidden",
        "away": "partner-unavailable",
    }
    assert {name: answered(name)["code"] for name in codes} == codes
    assert "/services/dan-cu/lookUp" in answered("openapi")["paths"]
    officers = {each["officer"] for each in answered("accesses")["items"]}
    assert officers == {"001000000009", "001000000077"}


@pytest.mark.skipif(shutil.which("curl") is None, reason="the examples need curl")
@pytest.mark.timeout(280)
def test_providing_data_works_as_written(tmp_path: Path) -> None:
    _run(_script(DOCS / "provide-data.md"), tmp_path, seconds=250)

    def answered(name: str) -> Any:
        return json.loads((tmp_path / f"{name}.json").read_text())

    for name in ("package", "results"):
        text = (tmp_path / f"{name}.ndjson").read_text("utf-8")
        lines = [json.loads(line) for line in text.splitlines()]
        assert [(line["number"], line["status"]) for line in lines] == [(1, 200), (2, 422)]
        (citizen,) = lines[0]["reply"]["citizens"]
        assert citizen["fullName"] == "NGUYỄN THỊ MẪU"
        assert citizen["identityNumber"] == {"#withheld": True}
    done = answered("done")
    assert (done["state"], done["answered"], done["failed"]) == ("done", 2, 1)
    assert [each["code"] for each in answered("all")["changed"]] == ["01", "02"]
    (new,) = answered("since")["changed"]
    assert new == {"code": "03", "row": {"MaDanToc": "03", "TenDanToc": "Thái"}}
    for name in ("not-offered", "no-past"):
        assert answered(name)["code"] == "mode-not-offered"
    change = answered("change")
    assert (change["feed"], change["item"]["code"]) == ("dan-toc", "03")
    feed = answered("feed")
    assert (feed["waiting"], feed["failures"]) == (3, 0)
    assert answered("ack")["state"] == "delivered"


@pytest.mark.timeout(280)
def test_alerts_work_as_written(tmp_path: Path) -> None:
    _run(_script(DOCS / "alerts.md"), tmp_path, seconds=250)
    mails = (tmp_path / "mails.txt").read_text()
    assert "lgsp alert test" in mails
    (item,) = json.loads((tmp_path / "history.json").read_text())["items"]
    assert (item["key"], item["culprit"]) == ("expiry:key/van-phong", "client:van-phong")
    assert item["resolvedAt"]


def _named_commands() -> list[str]:
    found = set()
    for page in PAGES:
        for block, span in _CODE.findall(page.read_text("utf-8")):
            found |= {match.strip() for match in _COMMAND.findall(block or span)}
    return sorted(found)


def _resolve(words: list[str]) -> tuple[list[str], Any]:
    """The names the words begin with, and their command. Fails at a name that no group has."""
    path: list[str] = []
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands") and len(path) < len(words) and words[len(path)][0] != "-":
        name = words[len(path)]
        assert name in command.commands, f"{name!r} is not among {sorted(command.commands)}"
        path.append(name)
        command = command.commands[name]
    return path, command


def test_the_documentation_names_commands() -> None:
    assert len(_named_commands()) > 20


@pytest.mark.parametrize("line", _named_commands())
def test_every_command_named_exists_with_its_options(line: str) -> None:
    words = line.split()
    path, command = _resolve(words)
    known = {name for each in command.params for name in each.opts}
    options = {word for word in words if re.match(r"--?[a-z]", word)}
    assert options <= known, f"lgsp {line}"
    shown = CliRunner().invoke(app, [*path, "--help"])
    assert shown.exit_code == 0, shown.output


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pages
def test_relative_links_resolve(page: Path) -> None:
    for link in _LINK.findall(page.read_text("utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name}: {link}"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", target.read_text("utf-8"), re.MULTILINE)
            assert anchor in map(_anchor, headings), f"{page.name}: {link}"


@pages
def test_metrics_and_variables_named_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    exported = Metrics().render().decode()
    unknown = {name for name in _METRIC.findall(text) if f"# TYPE {name} " not in exported}
    known = {f"LGSP_{name.upper()}" for name in Settings.model_fields} | NOT_SETTINGS
    unknown |= {
        name
        for name in _VARIABLE.findall(text)
        if name not in known and not name.startswith(SECRET_PREFIX)
    }
    assert not unknown


@pages
def test_settings_shown_are_settings(page: Path) -> None:
    for example in _TOML.findall(page.read_text("utf-8")):
        Settings(**tomllib.loads(example))


TABLES = pytest.mark.parametrize(
    ("page", "made", "states"),
    [
        ("delivery-states.md", diagram, DeliveryState),
        ("document-lifecycle.md", exchange_diagram, exchange.ExchangeState),
    ],
)


@TABLES
def test_the_diagram_of_states_is_the_table(
    page: str, made: Callable[[], str], states: type[StrEnum]
) -> None:
    text = (DOCS / page).read_text("utf-8")
    drawn = re.search(r"^```mermaid\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert drawn is not None, "the page has no diagram"
    assert drawn[1] == made(), f"put this in its place:\n{made()}"
    described = re.findall(r"^\| `([a-z]+)` \|", text, re.MULTILINE)
    assert sorted(described) == sorted(states), "every state is described"
