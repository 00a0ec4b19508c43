"""Declared files: read, faults named with file and line, written back."""

from __future__ import annotations

import tempfile
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings

from bus.ops.province_files import export, read
from schemas.errors import ConfigurationError
from schemas.province import Province
from tests.unit.ops.provinces import PROVINCES

VECTORS = Path(__file__).parents[2] / "vectors" / "province"
DEMO = Path(__file__).parents[3] / "deploy" / "demo" / "province"


def written(folder: Path, province: Province) -> Path:
    for name, text in export(province).items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_the_files_of_a_folder_make_one_province() -> None:
    province = read(VECTORS / "mixed")
    assert {agency.code: agency.name for agency in province.agencies} == {
        "H99": "Ủy ban nhân dân tỉnh",
        "H99.01": "Xã Bản Liền",
        "H99.02": 'Xã "Mới"',
        "H99.19": "Sở Y tế, tỉnh",
    }
    by_code = {agency.code: agency for agency in province.agencies}
    assert by_code["H99.02"].parent == "H99.01"
    assert by_code["H99.02"].valid_to == date(2030, 12, 31)
    assert by_code["H99.01"].valid_to is None
    assert by_code["H99"].aliases[0].valid_from == date(2016, 6, 1)
    assert [endpoint.name for endpoint in province.endpoints] == ["so-xd", "tinh"]
    assert province.endpoints[0].retry.first == 2
    assert province.routes[0].reason == "đang sáp nhập"
    assert province.clients[0].descendants


def test_values_are_read_as_they_will_be_stored() -> None:
    """A YAML date inside an adapter's configuration becomes the text that JSON has for it."""
    (endpoint, _) = read(VECTORS / "mixed").endpoints
    assert endpoint.config["since"] == "2025-01-01"


def test_one_file_can_be_read_alone() -> None:
    assert len(read(VECTORS / "mixed" / "20-so.yml").agencies) == 1


@pytest.mark.parametrize(
    ("file", "place", "word_vi", "word_en"),
    [
        ("unknown-field", ("unknown-field.yaml", 6), "nmae: trường không được biết", "field nmae"),
        ("bad-code", ("bad-code.yaml", 6), "trường aliases.1.code", "not an agency code"),
        ("missing-name", ("missing-name.yaml", 4), "trường name: thiếu", "field name"),
        ("twice", ("twice.yaml", 4), "ở twice.yaml, dòng 2", "already declared in twice.yaml"),
        ("key-twice", ("key-twice.yaml", 4), "'name'", "'name' stands here twice"),
        ("unknown-key", ("unknown-key.yaml", 2), "khóa lạ 'agency'", "unknown key 'agency'"),
        ("broken", ("broken.yaml", 3), "YAML không đọc được", "not readable YAML"),
        ("python-object", ("python-object.yaml", 2), "không đọc được", "could not determine"),
        ("list", ("list.yaml", 1), "không đọc được", "expected keys"),
        ("not-a-list", ("not-a-list.yaml", 1), "phải là danh sách", "must be a list"),
        ("no-table", ("no-table.yaml", 2), "không đọc được nowhere.tsv", "nowhere.tsv"),
        ("surplus", ("surplus.csv", 3), "trường", "not permitted"),
        ("not-json", ("not-json.yaml", 2), "JSON", "not JSON"),
    ],
)
def test_a_fault_is_named_with_file_and_line_in_both_languages(
    file: str, place: tuple[str, int], word_vi: str, word_en: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read(VECTORS / "faulty" / f"{file}.yaml")
    name, line = place
    vi, en = refused.value.detail
    assert vi.startswith(f"{name}, dòng {line}: ")
    assert en.startswith(f"{name}, line {line}: ")
    assert word_vi in vi
    assert word_en in en


def test_every_vector_of_a_fault_is_refused() -> None:
    for file in (VECTORS / "faulty").glob("*.yaml"):
        with pytest.raises(ConfigurationError):
            read(file)


def test_all_faults_of_all_files_are_listed_at_once() -> None:
    with pytest.raises(ConfigurationError) as refused:
        read(VECTORS / "faulty")
    lines = refused.value.detail.en.splitlines()
    assert len({line.split(",")[0] for line in lines}) >= 12


def test_the_same_item_in_two_files_is_refused_naming_both(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("endpoints: [{name: x, kind: mailbox}]\n")
    (tmp_path / "b.yaml").write_text("routes: []\nendpoints:\n  - {name: x, kind: mailbox}\n")
    with pytest.raises(ConfigurationError) as refused:
        read(tmp_path)
    assert refused.value.detail.en == (
        "b.yaml, line 3: endpoint x is already declared in a.yaml, line 1"
    )


def test_a_value_at_fault_is_never_repeated(tmp_path: Path) -> None:
    """Somebody will paste a secret where its name belongs."""
    file = tmp_path / "a.yaml"
    file.write_text("clients: [{id: x, rate: hunter2-hunter2}]\n")
    with pytest.raises(ConfigurationError) as refused:
        read(file)
    assert "hunter2" not in "".join(refused.value.detail)


@pytest.mark.parametrize("missing", ["", "nowhere", "nowhere.yaml"])
def test_a_folder_without_files_is_refused(tmp_path: Path, missing: str) -> None:
    with pytest.raises(ConfigurationError, match="no YAML file"):
        read(tmp_path / missing)


def test_an_empty_file_declares_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("# nothing yet\n")
    assert read(tmp_path) == Province()
    assert export(Province()) == {}


@settings(deadline=None)
@given(PROVINCES)
def test_what_is_exported_reads_back_the_same(province: Province) -> None:
    if province == Province():
        return
    with tempfile.TemporaryDirectory() as folder:
        assert read(written(Path(folder), province)) == province


@settings(deadline=None)
@given(PROVINCES)
def test_the_order_of_items_does_not_change_the_text(province: Province) -> None:
    backwards = Province(
        agencies=province.agencies[::-1],
        endpoints=province.endpoints[::-1],
        routes=province.routes[::-1],
        procedures=province.procedures[::-1],
        holidays=province.holidays[::-1],
        clients=province.clients[::-1],
    )
    assert export(backwards) == export(province)


def test_vietnamese_text_stays_readable() -> None:
    assert "Sở Xây dựng" in export(read(DEMO))["agencies.yaml"]
