"""What the national portal gives to a one-stop system: an online submission, in its own fields.

A portal pushes it to the one-stop software's `nhanhsdvcqg`, one dossier a call.  Public clients
show some of the names (`MaHoSo`, `MaHoSoQG`, `MaTTHC`, `TepDonDangKy`, `URLTepDangKy`, `MaSoThue`)
and the answer; the others are assumed to be those of DongBoHoSoMC (adapters.portal_fields), and a
supplement to be told by its list of supplements.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Literal

import orjson
from pydantic import ValidationError

from adapters.http import Answer, retry_after
from adapters.portal_fields import read_record, write_record, wrong_field
from schemas.adapter import Outcome, Result
from schemas.agency import parse_code
from schemas.dossier import parse_dossier_code, unit_of
from schemas.errors import (
    ConfigurationError,
    PartnerGarbage,
    PartnerRefused,
    PartnerUnavailable,
)
from schemas.flows import Submission

Event = Literal["new", "supplement", "withdrawal"]

RECEIVED, KNOWN, FAILED = 0, 1, -1
"""Codes of the answer: taken, the dossier had been taken before, an error."""

_AGENCY = ("MaDonVi", "MaDonViTiepNhan")
_UNSAID = {"KenhThucHien": "2", "TrangThaiHoSo": "1", "NoiNopHoSo": "1"}
"""What every online submission at a portal is, where it does not say so."""


def read_submission(item: object, *, event: Event | None = None) -> Submission:
    """`event` where the frame around it tells; else whether it lists supplements.

    Raises InvalidRequest that names the portal's field and never repeats a value.
    """
    if not isinstance(item, Mapping):
        raise wrong_field("data", "phải là một hồ sơ", "must be one dossier")
    given = {name: item.get(name) or value for name, value in _UNSAID.items()}
    record = read_record({**item, **given}, agency=_agency(item))
    number = _text(item, "MaHoSoQG") or record.code
    record = record.model_copy(update={"nation_code": number})
    told = event or ("supplement" if record.supplements else "new")
    supplement = record.supplements[-1].id if told == "supplement" and record.supplements else ""
    try:
        return Submission(
            event=told,
            record=record,
            form=_text(item, "TepDonDangKy"),
            form_url=_text(item, "URLTepDangKy"),
            tax_number=_text(item, "MaSoThue"),
            id=supplement,
        )
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        name = _NAMES.get(str(fault["loc"][0]), "data")
        raise wrong_field(name, "giá trị không hợp lệ", str(fault["msg"])) from None


_NAMES = {
    "form": "TepDonDangKy",
    "formUrl": "URLTepDangKy",
    "form_url": "URLTepDangKy",
    "taxNumber": "MaSoThue",
    "tax_number": "MaSoThue",
    "id": "HoSoBoSungId",
}


def _agency(item: Mapping[str, Any]) -> str:
    """Whom the portal names, else the unit in the dossier's code."""
    named = next((text for name in _AGENCY if (text := _text(item, name))), None)
    try:
        return parse_code(named or unit_of(parse_dossier_code(_text(item, "MaHoSo"))))
    except ValueError:
        name = _AGENCY[0] if named else "MaHoSo"
        raise wrong_field(name, "không đúng mẫu mã", "is not a code of its kind") from None


def _text(item: Mapping[str, Any], name: str) -> str:
    value = item.get(name)
    return "" if value is None else str(value).strip()


def write_submission(submission: Submission) -> dict[str, Any]:
    """The same fields again, with whatever codes the submission has."""
    record = submission.record
    return write_record(record) | {
        "MaHoSoQG": record.nation_code,
        "MaDonVi": record.agency,
        "MaSoThue": submission.tax_number,
        "TepDonDangKy": submission.form,
        "URLTepDangKy": submission.form_url,
        "LoaiSuKien": _EVENTS[submission.event],
    }


_EVENTS: dict[str, str] = {"new": "TIEPNHAN", "supplement": "CAPNHAT", "withdrawal": "RUT"}
EVENTS: dict[str, Event] = {"TIEPNHAN": "new", "CAPNHAT": "supplement", "RUT": "withdrawal"}
"""Events of the profile exchange."""

# ---- answers


def receipt(code: int, number: str, text: str) -> bytes:
    """`{"error_code":0,"message":"<MaHoSo>| …"}`."""
    return orjson.dumps({"error_code": code, "message": f"{number}| {text}"})


_FINAL = re.compile(r"không hợp lệ|bắt buộc|không đúng|không tồn tại|không thuộc", re.IGNORECASE)


def judge_receipt(answer: Answer) -> Outcome:
    """What the one-stop software's answer says. A repeat is answered as known, so that trying again
    after a doubt has no second effect.
    """
    if answer.status in {408, 425, 429, 503}:
        detail = f"The one-stop software cannot take it now (HTTP {answer.status})."
        pause = retry_after(answer.headers)
        return Outcome(Result.TRANSIENT, "", PartnerUnavailable.code, detail, retry_after=pause)
    if answer.status in {401, 403}:
        detail = "The one-stop software refuses the access key: the administrator corrects it."
        return Outcome(Result.TRANSIENT, "", ConfigurationError.code, detail)
    code, message = _said(answer)
    number = message.partition("|")[0].strip()[:200]
    if code in {RECEIVED, KNOWN}:
        return Outcome(Result.DELIVERED, number, answer=f"error_code {code}: {message}"[:2000])
    if code is not None and _FINAL.search(message):
        detail = "The one-stop software refused the submission; its answer says why."
        return Outcome(Result.REJECTED, "", PartnerRefused.code, detail, message[:2000])
    said = "no receipt" if code is None else f"error_code {code}"
    detail = f"The one-stop software answered {said} (HTTP {answer.status})."
    return Outcome(Result.UNKNOWN, "", PartnerGarbage.code, detail, message[:2000])


def _said(answer: Answer) -> tuple[int | None, str]:
    """Code and message; no code where it is no receipt."""
    try:
        reply = orjson.loads(answer.body) if answer.status == HTTPStatus.OK else None
    except orjson.JSONDecodeError:
        reply = None
    if not isinstance(reply, dict):
        return None, ""
    text = str(reply.get("error_code", "")).strip()
    code = int(text) if re.fullmatch(r"-?\d{1,9}", text, re.ASCII) else None
    return code, str(reply.get("message", ""))
