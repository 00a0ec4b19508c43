"""Services at the command line: declared, compared, called, and who asked."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.citizens.sandbox import Sandbox, document
from bus.ledger.ledger import Ledger
from bus.ledger.service_jobs import Job
from schemas.instant import SECOND
from tests.integration.cli_harness import Cli

ONE = "001099000001"
SECRET = {"LGSP_SECRET_DATA_SUBJECTS": "a key"}
GRANTS = """
grants:
  - {name: van-phong, agency: H38.01, service: cong-dan, operations: [TraCuu]}
"""


@pytest.fixture
def cli(sqlite_url: str, tmp_path: Path) -> Cli:
    command = Cli(sqlite_url, tmp_path)
    command.set_up()
    folder = tmp_path / "wsdl"
    folder.mkdir()
    for name in ("citizens.wsdl", "citizens.xsd"):
        (folder / name).write_bytes(document(name))
    return command


@pytest.fixture
def register() -> Iterator[str]:
    """The address of the register, which runs while the test does."""
    loop = asyncio.new_event_loop()
    started = threading.Event()
    sandbox = Sandbox()
    stop = asyncio.Event()

    async def serve() -> None:
        async with sandbox:
            started.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert started.wait(10)
    yield sandbox.url
    loop.call_soon_threadsafe(stop.set)
    thread.join(10)
    loop.close()


def add(cli: Cli, *more: str) -> None:
    cli("service", "add", "cong-dan", "wsdl/citizens.wsdl", "--reason", "thử", *more)


def test_a_service_is_declared_shown_and_written_back_6868(cli: Cli, tmp_path: Path) -> None:
    """product-apim#6868: what makes the conversion is lost on export."""
    add(cli, "--title", "Sổ công dân")
    assert "cong-dan" in cli("service", "list").out
    shown = cli.json("service", "show", "cong-dan")
    assert (shown["id"], shown["titleVi"]) == ("cong-dan@1", "Sổ công dân")
    assert shown["report"]["ok"]
    assert "TraCuu" in cli("service", "show", "cong-dan@1", lang="vi").out
    cli("export", "-o", "out")
    exported = (tmp_path / "out" / "services.yaml").read_text()
    assert "contract: contracts/cong-dan/1/citizens.wsdl" in exported
    assert cli.json("plan", "-f", "out")["changes"] == []
    cli("service", "remove", "cong-dan", "--reason", "thôi")
    assert cli.json("service", "list")["items"] == []
    cli("apply", "-f", "out", "--reason", "lại", "--yes")
    again = cli.json("service", "show", "cong-dan")
    assert again["report"] == shown["report"], "all is translated as before"
    assert again["contract"] == shown["contract"]


def test_a_declaration_that_cannot_be_called_is_refused(cli: Cli, tmp_path: Path) -> None:
    schema = tmp_path / "wsdl" / "citizens.xsd"
    schema.unlink()
    done = cli("service", "add", "cong-dan", "wsdl/citizens.wsdl", "--reason", "x", code=2)
    assert "citizens.xsd" in done.err
    cli("service", "show", "cong-dan", code=4)
    cli("service", "list")


def test_the_operators_copy_of_a_schema_is_found_by_its_url(cli: Cli, tmp_path: Path) -> None:
    url = "https://register.example/citizens"
    main = tmp_path / "wsdl" / "citizens.wsdl"
    main.write_text(main.read_text().replace("citizens.xsd", url))
    (tmp_path / "wsdl" / "citizens.xsd").rename(tmp_path / "saved.xsd")
    cli("service", "add", "cong-dan", "wsdl/citizens.wsdl", "--reason", "x", code=2)
    cli("schema", "add", url, "saved.xsd")
    assert cli.json("schema", "list")["items"][0]["location"] == url
    add(cli)
    assert url in cli.json("service", "show", "cong-dan")["contract"]["documents"]
    cli("export", "-o", "out")
    assert cli.json("plan", "-f", "out")["changes"] == []


def test_a_service_that_is_granted_is_not_removed(cli: Cli, tmp_path: Path) -> None:
    add(cli)
    cli("export", "-o", "out")
    (tmp_path / "out" / "grants.yaml").write_text(GRANTS)
    cli("apply", "-f", "out", "--reason", "cấp quyền", "--yes")
    done = cli("service", "remove", "cong-dan", "--reason", "x", code=1)
    assert "grants van-phong" in done.err
    assert "H38.01" in cli("service", "list").out


def test_a_new_contract_is_compared_with_the_one_in_use(cli: Cli, tmp_path: Path) -> None:
    add(cli)
    assert "No difference" in cli("service", "diff", "cong-dan", "wsdl/citizens.wsdl").out
    schema = tmp_path / "wsdl" / "citizens.xsd"
    text = schema.read_text()
    schema.write_text(text.replace('<xs:element name="GioiTinh" type="xs:int"/>', ""))
    found = cli.json("service", "diff", "cong-dan", "wsdl/citizens.wsdl", code=1)
    gone = {(each["operation"], each["path"], each["breaks"]) for each in found["differences"]}
    assert ("TraCuu", "CongDan/GioiTinh", True) in gone
    optional = '<xs:element name="Moi" type="xs:string" minOccurs="0"/>'
    schema.write_text(
        text.replace('<xs:element name="NoiDung"', f'{optional}<xs:element name="NoiDung"')
    )
    found = cli.json("service", "diff", "cong-dan", "wsdl/citizens.wsdl")
    assert [(each["path"], each["breaks"]) for each in found["differences"]] == [("Moi", False)]


def test_a_call_is_made_and_found_again(cli: Cli, register: str, tmp_path: Path) -> None:
    add(cli, "--address", register)
    cli("export", "-o", "out")
    services = tmp_path / "out" / "services.yaml"
    personal = "operations: {TraCuu: {personal: {subjects: [SoDinhDanh]}}}"
    services.write_text(services.read_text() + f"  {personal}\n")
    cli("apply", "-f", "out", "--reason", "dữ liệu cá nhân", "--yes")
    (tmp_path / "hoi.json").write_text(json.dumps({"SoDinhDanh": ONE}))
    call = ("service", "call", "cong-dan", "TraCuu", "-d", "hoi.json")
    assert "--purpose is needed" in cli(*call, code=1, env=SECRET).err
    why = ("--officer", "CB-1", "--purpose", "kiểm tra")
    assert "data-subjects" in cli(*call, *why, code=2).err, "without the key nobody is asked"
    reply = json.loads(cli(*call, *why, env=SECRET).out)
    assert reply["CongDan"]["HoVaTen"] == "NGUYỄN THỊ MẪU"
    found = json.loads(cli("service", "accesses", "--subject", ONE, "--json", env=SECRET).out)
    (row,) = found["items"]
    assert (row["officer"], row["purpose"], row["outcome"]) == ("CB-1", "kiểm tra", "answered")
    assert "CongDan/HoVaTen" in row["fields"]
    other = cli("service", "accesses", "--subject", "001099000009", "--json", env=SECRET)
    assert json.loads(other.out) == {"items": []}


def test_jobs_are_listed_followed_and_cancelled(cli: Cli, sqlite_url: str, tmp_path: Path) -> None:
    async def send() -> None:
        ledger = await Ledger.open(sqlite_url, tmp_path / "blobs", actor="test")
        question = '{"SoDinhDanh": "001099000001"}'
        now = ledger.clock()
        expires = now + 86_400 * SECOND
        who = ("client:van-phong", None, "sha", "H38.01", "CB-01", "thử")
        what = ("cong-dan@1", "TraCuu", None, "vi", "", 1)
        for number in ("mot", "hai"):
            await ledger.add_job(Job(number, *who, *what, now, expires), [question])
        await ledger.cancel_job("mot", actor="test", reason="thử")
        await ledger.close()

    assert cli.json("service", "job", "list") == {"items": []}
    asyncio.run(send())
    listed = cli("service", "job", "list")
    assert "client:van-phong" in listed.out
    assert ONE not in listed.out
    assert cli.json("service", "job", "show", "mot", "--follow")["state"] == "cancelled"
    assert "0/1" in cli("service", "job", "show", "hai").out
    cli("service", "job", "cancel", "hai", "--reason", "quá tải")
    assert cli.json("service", "job", "show", "hai")["state"] == "cancelled"
    cli("service", "job", "cancel", "hai", "--reason", "lại", code=1)
    cli("service", "job", "show", "ba", code=4)
