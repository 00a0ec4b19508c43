"""`lgsp service check` with the real command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
CORPUS = ROOT / "tests" / "vectors" / "wsdl"


def check(file: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bus.cli", "--lang", "en", "service", "check", str(file), *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_good_contract_is_translated_whole(tmp_path: Path) -> None:
    file = tmp_path / "service.wsdl"
    file.write_bytes((CORPUS / "rpc-abstract.wsdl").read_bytes())
    done = check(file, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["ok"]
    assert {row["operation"] for row in found["operations"]} == {"Put", "Get"}
    assert "nothing is lost" in check(file).stdout


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    file = tmp_path / "service.wsdl"
    content = (CORPUS / "rpc-abstract.wsdl").read_text("utf-8")
    wanted = '<xs:import namespace="urn:x" schemaLocation="not-here.xsd"/>'
    at = content.index(">", content.index("<xs:schema")) + 1
    file.write_text(content[:at] + wanted + content[at:], "utf-8")
    done = check(file)
    assert "not-here.xsd is missing" in done.stdout + done.stderr


def test_what_is_no_contract_is_refused_with_a_reason(tmp_path: Path) -> None:
    file = tmp_path / "service.wsdl"
    file.write_text("<a/>")
    done = check(file)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert "wsdl" in (done.stdout + done.stderr).lower()


def test_an_openapi_document_is_checked_for_the_way_back(tmp_path: Path) -> None:
    vectors = ROOT / "tests" / "vectors" / "openapi"
    done = check(vectors / "formats.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing is lost" in done.stdout
    assert "Formats_odd: pattern: the WSDL cannot state this rule" in done.stdout
    done = check(vectors / "parameters.yaml", "--json")
    assert done.returncode == 1
    rows = {row["operation"]: row for row in json.loads(done.stdout)["operations"]}
    assert rows["sendParameters"]["lost"] == []
    assert "nested values have no form in a URL" in rows["sendNested"]["lost"][0]
    file = tmp_path / "service.json"
    file.write_text("{}")
    done = check(file)
    assert done.returncode != 0
    assert "not an OpenAPI 3.0 or 3.1 document" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
