"""Canonical form to the portal's fields and back; the project's own vectors; refusals by field."""

from __future__ import annotations

import string
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.portal_fields import (
    CANONICAL,
    RECORD,
    STEP,
    Rows,
    read_record,
    read_step,
    write_record,
    write_step,
)
from schemas.dossier import DossierRecord, Step
from schemas.errors import InvalidRequest
from schemas.vietnam import VIETNAM
from tests.unit.adapters.dvcqg.samples import record, step

VECTORS = Path(__file__).parents[3] / "vectors" / "dvcqg"

texts = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=40
).filter(lambda text: text == text.strip())
codes = st.text(string.ascii_uppercase + string.digits + ".-", min_size=1, max_size=20)
links = st.sampled_from(["", "https://motcua.example.gov.vn/dl?f=1"])
moments = st.integers(946_684_800, 4_102_444_800).map(
    lambda second: datetime.fromtimestamp(second, VIETNAM)
)
absent = st.none()
numbers = st.integers(1, 9999).map(lambda n: f"H99.{n % 1000}-261124-{n:04d}")


def some(each: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(each, max_size=2)


papers = st.fixed_dictionaries(
    {"name": texts},
    optional={
        "id": texts,
        "component": codes,
        "url": links,
        "deleted": st.booleans(),
        "digitised": st.booleans(),
        "reuse": st.sampled_from([0, 1, 2]),
        "from_national_store": st.booleans(),
        "replacing_result": codes,
    },
)
fees = st.fixed_dictionaries(
    {"code": codes, "name": texts, "amount": st.integers(0, 10**12)},
    optional={"collected_at": st.sampled_from([1, 2, 4]), "kind": st.sampled_from([1, 2, 3])},
)
supplements = st.fixed_dictionaries(
    {"id": texts, "request": texts, "asked_at": moments},
    optional={
        "asked_by": texts,
        "received_by": texts,
        "received_note": texts,
        "received_at": moments,
        "complete": st.booleans(),
        "papers": some(papers),
        "fees": some(fees),
        "due_before": moments,
        "due_after": moments,
    },
)
applicants = st.fixed_dictionaries(
    {"kind": st.sampled_from([1, 2, 3, 4])},
    optional={
        **dict.fromkeys(("name", "paper_number", "account", "phone", "email", "fax"), texts),
        "identities": some(
            st.one_of(
                st.just({"kind": 1, "number": "001000000001"}),
                st.just({"kind": 2, "number": "000000001"}),
            )
        ),
    },
)
records = st.fixed_dictionaries(
    {
        "code": numbers,
        "procedure": codes,
        "procedure_name": texts,
        "agency": st.just("H99.19"),
        "agency_name": texts,
        "channel": st.sampled_from([1, 2, 3]),
        "applicant": applicants,
        "summary": texts,
        "status": st.integers(1, 10),
        "received": moments,
    },
    optional={
        **dict.fromkeys(("receipt_number", "sector_name", "other_information"), texts),
        **dict.fromkeys(("note", "return_note"), texts),
        **dict.fromkeys(("submitted", "due", "finished", "returned", "refused"), moments | absent),
        **dict.fromkeys(("by_post", "has_digitised", "verified_account"), st.booleans()),
        "sector": codes,
        "origin": st.sampled_from([1, 2]),
        "online_payment": st.sampled_from([0, 1, 2, 3]),
        "databases": some(codes),
        "submitted_papers": some(papers),
        "listed_papers": some(
            st.fixed_dictionaries(
                {"name": texts}, optional={"count": st.integers(0, 99), "kind": st.integers(0, 9)}
            )
        ),
        "result_papers": some(
            st.fixed_dictionaries(
                {"name": texts},
                optional={"component": codes, "id": texts, "url": links, "result_code": codes},
            )
        ),
        "fees": some(fees),
        "supplements": some(supplements),
    },
).map(DossierRecord.model_validate)
steps = st.fixed_dictionaries(
    {"code": numbers, "at": moments, "by": texts, "content": texts, "status": st.integers(1, 10)},
    optional={
        "title": texts,
        "department": texts,
        "started": moments | absent,
        "due": moments | absent,
    },
).map(Step.model_validate)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(records)
def test_a_record_comes_back_as_it_was(given_record: DossierRecord) -> None:
    wire = orjson.loads(orjson.dumps(write_record(given_record)))
    assert read_record(wire, agency=given_record.agency) == given_record


@settings(deadline=None)
@given(steps)
def test_a_step_comes_back_as_it_was_with_the_same_derived_id(given_step: Step) -> None:
    wire = orjson.loads(orjson.dumps(write_step(given_step)))
    assert read_step(wire) == given_step


def test_what_the_portal_has_no_field_for_is_known() -> None:
    """Whoever adds a field to the model decides whether the portal carries it."""
    carried = {column.path.partition(".")[0] for column in RECORD}
    assert set(DossierRecord.model_fields) - carried == {"nation_code", "agency", "local_status"}
    assert set(Step.model_fields) - {column.path for column in STEP} == {"id", "local_status"}


def _values(item: object) -> Iterator[tuple[str, object]]:
    if isinstance(item, dict):
        for name, value in item.items():
            if isinstance(value, list):
                for row in value:
                    yield from _values(row)
            else:
                yield name, value


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(records)
def test_values_are_texts_but_for_three(given_record: DossierRecord) -> None:
    others = {"SoLuong": int, "LoaiGiayTo": int, "TrangThaiBoSung": bool}
    for name, value in _values(write_record(given_record)):
        assert type(value) is others.get(name, str), name


@pytest.mark.parametrize("path", sorted(VECTORS.glob("*_record.json")), ids=lambda path: path.stem)
def test_vectors_of_records_are_read_and_written_the_same(path: Path) -> None:
    item = orjson.loads(path.read_bytes())
    read = read_record(item["wire"], agency="H99.19")
    assert read == DossierRecord.model_validate(item["canonical"])
    assert write_record(read) == item["wire"] | item["added"]


@pytest.mark.parametrize("path", sorted(VECTORS.glob("*_step.json")), ids=lambda path: path.stem)
def test_vectors_of_steps_are_read_and_written_the_same(path: Path) -> None:
    item = orjson.loads(path.read_bytes())
    read = read_step(item["wire"])
    assert read == Step.model_validate(item["canonical"])
    assert write_step(read) == item["wire"] | item["added"]


def test_there_are_vectors() -> None:
    assert len(list(VECTORS.glob("*.json"))) >= 4


def test_pitfall_9_times_are_those_of_vietnam_with_24_hours() -> None:
    afternoon = datetime.fromisoformat("2026-11-24T10:30:05+00:00")
    wire = write_record(record(due=afternoon))
    assert wire["NgayHenTra"] == "20261124173005"
    assert wire["NgayTra"] == ""


@pytest.mark.parametrize("wrong", ["2026-11-24", "24/11/2026 08:00:00", "20261324080000", "202611"])
def test_pitfall_9_another_form_of_time_is_refused_by_name(wrong: str) -> None:
    wire = write_record(record()) | {"NgayHenTra": wrong}
    with pytest.raises(InvalidRequest) as caught:
        read_record(wire, agency="H99.19")
    assert caught.value.context == {"field": "NgayHenTra"}
    assert wrong not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"TrichYeuHoSo": "x" * 1001}, "TrichYeuHoSo", "dài quá 1000 ký tự"),
        ({"GhiChu": "x" * 2001}, "GhiChu", "dài quá 2000 ký tự"),
        ({"TrichYeuHoSo": ""}, "TrichYeuHoSo", "bắt buộc"),
        ({"TenTTHC": None}, "TenTTHC", "bắt buộc"),
        ({"LoaiDoiTuong": "9"}, "LoaiDoiTuong", "không hợp lệ"),
        ({"TrangThaiHoSo": "x" * 101}, "TrangThaiHoSo", "dài quá 100"),
        ({"TrangThaiHoSo": ""}, "TrangThaiHoSo", "không hợp lệ"),
        ({"MaHoSo": "x"}, "MaHoSo", "không hợp lệ"),
        ({"TaiLieuNop": [{"TenTepDinhKem": "x" * 4001}]}, "TaiLieuNop[0].TenTepDinhKem", "4000"),
        ({"DanhSachLePhi": [{"MaPhiLePhi": "1", "TenPhiLePhi": "a", "Gia": "x"}]},
         "DanhSachLePhi[0].Gia", "không hợp lệ"),
        ({"DinhDanhCHS": [{"LoaiDinhDanh": "1", "SoDinhDanh": "12"}]},
         "DinhDanhCHS[0].SoDinhDanh", "không hợp lệ"),
        ({"DanhSachGiayToKetQua": "x"}, "DanhSachGiayToKetQua", "danh sách"),
        ({"DSKetNoiCSDL": [{"MaCSDL": "a b"}]}, "DSKetNoiCSDL[0]", "không hợp lệ"),
        ({"DanhSachHoSoBoSung": [{"HoSoBoSungId": "1", "NoiDungBoSung": "a", "NgayBoSung": "",
           "DanhSachGiayToBoSung": [{"TepDinhKemId": "1", "TenTepDinhKem": "a",
                                     "IsDeleted": "có"}]}]},
         "DanhSachHoSoBoSung[0].NgayBoSung", "bắt buộc"),
    ],
)  # fmt: skip
def test_pitfall_7_a_refusal_at_the_door_names_the_portals_field(
    change: dict[str, Any], field: str, reason: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_record(write_record(record()) | change, agency="H99.19")
    assert caught.value.context == {"field": field}
    assert reason in caught.value.detail.vi


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"NguoiXuLy": "x" * 51}, "NguoiXuLy"),
        ({"NoiDungXuLy": None}, "NoiDungXuLy"),
        ({"NoiDungXuLy": "  "}, "NoiDungXuLy"),
        ({"ThoiDiemXuLy": ""}, "ThoiDiemXuLy"),
    ],
)
def test_pitfall_7_steps_too(change: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_step(write_step(step("H99.19-261124-0001")) | change)
    assert caught.value.context == {"field": field}


@pytest.mark.parametrize("item", [None, "x", [], 1])
def test_what_is_no_object_is_refused(item: object) -> None:
    with pytest.raises(InvalidRequest):
        read_record(item, agency="H99.19")


def test_numbers_booleans_and_nulls_are_put_up_with() -> None:
    given_record = record(
        channel=1, by_post=True, submitted_papers=[{"name": "Đơn", "deleted": True}]
    )
    wire = write_record(given_record)
    wire |= {"TrangThaiHoSo": 4, "KenhThucHien": None, "HinhThuc": True, "GhiChu": None}
    wire |= {"NgayHenTra": int(wire["NgayHenTra"]), "FieldOfAProvince": "x"}
    wire["TaiLieuNop"][0]["IsDeleted"] = True
    assert read_record(wire, agency="H99.19") == given_record


@pytest.mark.parametrize("own", ["11", "0", "CHO-KY", "Đang thẩm định"])
def test_a_status_of_the_senders_own_is_kept_until_it_is_mapped(own: str) -> None:
    read = read_record(write_record(record()) | {"TrangThaiHoSo": own}, agency="H99.19")
    assert (read.status, read.local_status) == (0, own)
    told = read_step(write_step(step("H99.19-261124-0001")) | {"TrangThai": own})
    assert (told.status, told.local_status) == (0, own)


def test_pitfall_11_no_dummy_is_made_up_for_what_is_not_known() -> None:
    wire = write_record(record(channel=1, applicant={"kind": 1}))
    assert wire["DinhDanhCHS"] == []
    assert (wire["ChuHoSo"], wire["MaDoiTuong"], wire["SoGiayToChuHoSo"]) == ("", "", "")


def test_pitfall_8_addresses_of_files_are_the_same_in_every_sync() -> None:
    url = "https://truc.example.gov.vn/files/abc"
    given_record = record(submitted_papers=[{"name": "Đơn", "url": url}])
    first, second = write_record(given_record), write_record(given_record)
    assert first == second
    assert first["TaiLieuNop"][0]["DuongDanTaiTepTin"] == url


def test_every_field_of_the_portal_has_a_name_in_the_api() -> None:
    names = {column.name for column in (*RECORD, *STEP)}
    names |= {each.name for column in RECORD if isinstance(column, Rows) for each in column.columns}
    assert names <= set(CANONICAL)
    assert CANONICAL["ChuHoSo"] == "applicant.name"
    assert CANONICAL["NoiDungXuLy"] == "content"
