"""Questions and answers (hỏi đáp) as the portal writes them; no I/O.

Public clients name the services and say that days are written dd/MM/yyyy; the names of the fields
are assumed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from adapters.portal_fields import wrong_field
from adapters.profiles import text_of
from schemas.dossier import Form
from schemas.flows import Answer, Question

_FIELDS = {
    "id": "MaCauHoi",
    "agency": "MaDonVi",
    "title": "TieuDe",
    "content": "NoiDung",
    "asker": "NguoiHoi",
    "email": "Email",
    "phone": "SoDienThoai",
    "procedure": "MaTTHC",
}


def read_question(row: Mapping[str, Any]) -> Question:
    """Raises InvalidRequest that names the portal's field."""
    values: dict[str, Any] = {name: text_of(row.get(field)) for name, field in _FIELDS.items()}
    try:
        values["asked_at"] = Form.DAY_FIRST_DAY.read(text_of(row.get("NgayHoi")))
        return Question.model_validate(values)
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        name = _FIELDS.get(str(fault["loc"][0]), "NgayHoi")
        raise wrong_field(name, "giá trị không hợp lệ", str(fault["msg"])) from None
    except ValueError:
        raise wrong_field(
            "NgayHoi", "phải là ngày dd/MM/yyyy", "must be a day dd/MM/yyyy"
        ) from None


def write_answer(answer: Answer) -> dict[str, str]:
    """One element of DongBoKetQuaHoiDapGuiTuDVCQG, or with its question of DongBoHoiDap."""
    written = {
        "MaCauHoi": answer.question,
        "MaDonVi": answer.agency,
        "TenDonVi": answer.agency_name,
        "NoiDungTraLoi": answer.content,
        "NguoiTraLoi": answer.by,
        "NgayTraLoi": Form.DAY_FIRST_DAY.write(answer.answered_at),
    }
    return written | ({"NoiDung": answer.asked} if answer.asked else {})
