"""Dossier codes (mã hồ sơ): `unit-YYMMDD-ordinal`.

TT 01/2018/TT-VPCP art. 19: the unit is an agency code, the date the day of reception, the ordinal
four digits within the day; five digits circulate. Units are written in both forms of agency codes
(`000.00.19.H99-260105-0001`, `H99.132-260804-0583`); no list of provinces is fixed in code.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

from schemas.agency import parse_code

MAX_LENGTH = 50
_NUMBERED = re.compile(r"([^-]+)-(\d{6}-\d{4,5})", re.ASCII)


def parse_dossier_code(text: str) -> str:
    """The code trimmed and in capitals.

    Raises ValueError when it cannot be a dossier code.
    """
    found = _NUMBERED.fullmatch(text.strip())
    if found is None or len(found[0]) > MAX_LENGTH:
        msg = "not a dossier code: unit-YYMMDD-ordinal (H99.132-260804-0583) is expected"
        raise ValueError(msg)
    return f"{parse_code(found[1])}-{found[2]}"


def unit_of(code: str) -> str:
    """The unit that gave the code, as the code writes it."""
    return code.rsplit("-", 2)[0]


DossierCode = Annotated[str, AfterValidator(parse_dossier_code)]
