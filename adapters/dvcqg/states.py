"""The state of a dossier that was submitted on the portal (DongBoTrangThaiHoSo); no I/O.

The portal knows it by the number it has given, and only whether it was taken or is to be mended.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from schemas.dossier import DossierRecord, DossierStatus, Form, Origin

_TAKEN, _TO_MEND = "2", "5"
_FOLDED: dict[DossierStatus, str] = {
    DossierStatus.RECEIVED: _TAKEN,
    DossierStatus.PROCESSING: _TAKEN,
    DossierStatus.PAYMENT_ASKED: _TAKEN,
    DossierStatus.FINISHED: _TAKEN,
    DossierStatus.RETURNED: _TAKEN,
    DossierStatus.REFUSED: _TO_MEND,
    DossierStatus.SUPPLEMENT_ASKED: _TO_MEND,
    DossierStatus.WITHDRAWN: _TO_MEND,
    DossierStatus.STOPPED: _TO_MEND,
}
"""As public clients fold them; that 2 and 5 stay what they are is assumed."""


def write_state(record: DossierRecord) -> dict[str, Any] | None:
    """`data` of the call; None for a dossier that the portal has no state of."""
    state, at = _FOLDED.get(record.status), _moment(record)
    portals = record.origin is Origin.NATIONAL_PORTAL and record.nation_code
    if not portals or state is None or at is None:
        return None
    return {
        "MaHoSo": record.nation_code,
        "MaHoSoDonVi": record.code,
        "MaDoiTuong": record.applicant.account,
        "NoiDung": record.return_note,
        "NgayXuLy": Form.COMPACT.write(at),
        "TrangThai": state,
        "TaiLieuXuLy": [
            {
                "TenTepDinhKem": paper.name,
                "MaThanhPhanHoSo": paper.component,
                "TepDinhKemId": paper.id,
                "DuongDanTaiTepTin": paper.url,
                "IsDeleted": "False",
            }
            for paper in record.result_papers
        ],
    }


def _moment(record: DossierRecord) -> datetime | None:
    """The latest that the record says of itself."""
    asked = [each.asked_at for each in record.supplements]
    told = (record.returned, record.finished, record.refused, record.received, *asked)
    return max((each for each in told if each is not None), default=None)
