"""The vectors name nobody real, hold no secret, and their README names tests that are there."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest

from tests import pitfalls

ROOT = Path(__file__).parents[4]
FOLDER = ROOT / "tests" / "vectors" / "edxml"
VECTORS = sorted(FOLDER.glob("*.edxml"))
README = (FOLDER / "README.md").read_text("utf-8")

CODE = re.compile(r"\b(?:\d{2,3}\.){1,3}([A-Z]\d{2})\b|\b([A-Z]\d{2})(?:\.\d{2,3}){1,3}\b")
INVENTED = {
    "Email": r"[a-z.]+@[a-z.]+\.example|",
    "Website": r"[a-z.]+\.example|",
    "Telephone": r"0200 3000 \d{3}|N/A|",
    "Fax": r"0200 3000 \d{3}|",
    "Mobile": r"090000000\d|",
    "OrganId": r"(?:[\d.]*\b)?T90(?:\.[\d.]+)?|null|",
    "X509SubjectName": r"CN=thu-nghiem|",
}


def _values(data: str, name: str) -> list[str]:
    return re.findall(rf"<(?:\w+:)?{name}(?:\s[^>]*)?>([^<]*)<", data)


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_a_vector_names_nobody_real(path: Path) -> None:
    """Province T90 does not exist; addresses end in .example; numbers are of no subscriber."""
    data = path.read_text("utf-8")
    assert {old or new for old, new in CODE.findall(data.upper())} <= {"T90"}
    for name, form in INVENTED.items():
        for value in _values(data, name):
            assert re.fullmatch(form, value.strip(), re.IGNORECASE), (name, value)


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_a_vector_holds_no_secret(path: Path) -> None:
    data = path.read_text("utf-8")
    assert not re.search(r"-----BEGIN|password|mật khẩu|secret|token|api.?key", data, re.IGNORECASE)
    for name in ("SignatureValue", "DigestValue", "X509Certificate"):
        for value in _values(data, name):
            assert base64.b64decode(value).startswith(b"not ") or not value, (name, value)


def test_every_vector_stands_in_the_readme() -> None:
    table = README.partition("## Pitfalls")[0]
    named = set(re.findall(r"\b[a-z]\w+\b", table))
    missing = {path.stem for path in VECTORS if not path.stem.startswith(("status_", "written_"))}
    assert missing - named == set()


def test_every_pitfall_has_tests_that_are_there() -> None:
    pitfalls.check(README, 20)
    stems = {path.stem for path in VECTORS}
    for number, vectors in re.findall(r"^\| (\d+) \|[^|]*\|([^|]*)\|", README, re.MULTILINE):
        assert set(re.findall(r"`(\w+)`", vectors)) <= stems, number
