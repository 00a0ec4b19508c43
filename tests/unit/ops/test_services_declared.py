"""Services and grants in declared files: contracts pinned, faults named, written back."""

from __future__ import annotations

import hashlib
import shutil
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from bus.ledger.config_store import Item, to_province
from bus.ops.province_check import faults_of
from bus.ops.province_contracts import files_of, read_documents
from bus.ops.province_files import export, read, read_with_documents
from schemas.errors import ConfigurationError
from schemas.maintenance import Maintenance
from schemas.province import Agency, Holidays
from schemas.service import Contract, Feed, Grant, OperationSettings, Personal, Service

WSDLS = Path(__file__).parents[2] / "vectors" / "wsdl"
YAML = """
agencies: [{code: H99.14, name: Sở Xây dựng}]
services:
  - name: tra-cuu
    title_vi: Tra cứu
    contract: contracts/tra-cuu/1/imports.wsdl
    operations: {Ask: {idempotent: true}}
grants:
  - {name: so-xay-dung, agency: H99.14, service: tra-cuu, fields: [item/a]}
"""


@pytest.fixture
def declared(tmp_path: Path) -> Path:
    shutil.copytree(WSDLS / "imports", tmp_path / "contracts" / "tra-cuu" / "1")
    main = next((tmp_path / "contracts" / "tra-cuu" / "1").glob("*.wsdl"))
    (tmp_path / "all.yaml").write_text(YAML.replace("imports.wsdl", main.name), "utf-8")
    return tmp_path


def service(**given: Any) -> Service:
    contract = Contract(main="a.wsdl", documents={"a.wsdl": "0" * 64})
    return Service(**{"name": "tra-cuu", "contract": contract} | given)


def faults(*items: Item) -> list[str]:
    return [fault.en for fault in faults_of(to_province(items), lambda _: [])]


def test_a_contract_is_pinned_by_its_files_and_written_back(declared: Path, tmp_path: Path) -> None:
    province, contents = read_with_documents(declared)
    (found,) = province.services
    names = found.contract.documents
    assert len(names) > 1, "the schemas beside the WSDL belong to it"
    assert {hashlib.sha256(content).hexdigest() for content in contents.values()} == set(
        names.values()
    )
    again = tmp_path / "again"
    again.mkdir()
    for name, text in export(province).items():
        (again / name).write_text(text, "utf-8")
    for name, content in files_of(found, {n: contents[d] for n, d in names.items()}).items():
        (again / name).parent.mkdir(parents=True, exist_ok=True)
        (again / name).write_bytes(content)
    assert read(again) == province


def test_a_document_known_by_url_comes_back_by_url(tmp_path: Path) -> None:
    documents = {
        "a.wsdl": b"<a/>",
        "http://x.example/s": b"<s/>",
        "http://x.example/t.xsd": b"<t/>",
    }
    for name, content in files_of(service(), documents).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    assert read_documents(tmp_path / "contracts" / "tra-cuu" / "1" / "a.wsdl") == documents


def test_a_missing_contract_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text("services:\n  - name: a\n    contract: b.wsdl\n", "utf-8")
    with pytest.raises(ConfigurationError, match=r"line 3: b\.wsdl: No such file"):
        read(tmp_path)


def test_exactly_one_of_several_versions_is_current() -> None:
    assert faults(service()) == []
    assert "exactly one" in faults(service(), service(version="2"))[0]
    assert faults(service(), service(version="2", current=True)) == []
    both = (service(current=True), service(version="2", current=True))
    assert "exactly one" in faults(*both)[0]


def test_grants_name_what_is_declared() -> None:
    grant = Grant(name="g", agency="H99.14", service="tra-cuu")
    missing = faults(grant)
    assert len(missing) == 2
    assert "service tra-cuu is not declared" in missing[0]
    assert faults(grant, service(), Agency(code="H99.14", name="Sở")) == []
    with pytest.raises(ValidationError, match="for an agency or for a client"):
        Grant(name="g", service="tra-cuu")


@pytest.mark.parametrize(
    ("announced", "holidays", "enough"),
    [
        (date(2026, 12, 1), (), True),  # a Tuesday; the eleventh is a Friday
        (date(2026, 12, 2), (), False),
        (date(2026, 12, 1), (date(2026, 12, 3),), False),
    ],
)
def test_maintenance_is_announced_seven_working_days_ahead(
    announced: date, holidays: tuple[date, ...], enough: bool
) -> None:
    away = Maintenance(
        begins=datetime(2026, 12, 11, 10, tzinfo=UTC),
        ends=datetime(2026, 12, 11, 12, tzinfo=UTC),
        announced=announced,
    )
    found = faults(service(maintenance=(away,)), Holidays(year=2026, days=holidays))
    assert (found == []) is enough, found


def test_what_cannot_be_cached_is_refused() -> None:
    with pytest.raises(ValidationError, match="idempotent"):
        OperationSettings(cache_seconds=5)
    with pytest.raises(ValidationError, match="not cached"):
        OperationSettings(cache_seconds=5, idempotent=True, personal=Personal(subjects=("a",)))


@pytest.mark.parametrize(
    ("operations", "good"),
    [(("changes*",), True), (("*",), True), (("changesSince",), True), (("look*", "x"), False)],
)
def test_a_grant_names_operations_by_pattern_for_calls_and_for_feeds(
    operations: tuple[str, ...], *, good: bool
) -> None:
    grant = Grant(name="g", agency="H99.14", service="tra-cuu", operations=operations)
    feed = Feed(name="f", agency="H99.14", service="tra-cuu", operation="changesSince")
    assert grant.covers("changesSince", date(2026, 12, 1)) is good
    lacking = faults(grant, feed, service(), Agency(code="H99.14", name="Sở"))
    assert (lacking == []) is good
