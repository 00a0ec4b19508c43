"""Questions that a partner answers at once (tra cứu): of a payment, of a postal order.

Nothing is queued; what is asked and by whom is journalled.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import StringConstraints

from schemas.dossier.code import DossierCode
from schemas.dossier.model import Code, Part, Text200, Text500
from schemas.dossier.moments import Moment

Subject = Literal["payment", "tracking"]


class PaymentInquiry(Part):
    """Tra cứu thanh toán hồ sơ."""

    code: DossierCode
    reference: Annotated[Code, StringConstraints(min_length=1)]
    """MaTraCuuTT: the dossier's code and yyyyMMddHHmmss, given when the payment was asked for."""


class Payment(Part):
    """What the payment platform says."""

    paid: bool
    told: Text500 = ""  # in its words


class PostalEvent(Part):
    """One line of a parcel's way."""

    status: Code
    title: Text200 = ""
    at: Moment | None = None
    place: Text200 = ""
