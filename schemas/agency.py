"""Agency codes (mã định danh) in both forms, tolerant of what circulates.

QCVN 102:2016 form: `V1V2V3.Z1Z2.Y1Y2.MXX`, most significant group last (`000.00.00.H38`); shorter
historic forms exist (`28.22.H17`). QĐ 20/2020 form: most significant group first (`H38.02.01`),
letters allowed in a group (`H37.DN.001`). No list of provinces is fixed in code.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Annotated, Literal

from pydantic import AfterValidator

MAX_LENGTH = 35
_LEVEL_ONE = re.compile(r"[A-Z]\d{2}")
_GROUP = re.compile(r"[0-9A-Z]{1,10}")


@lru_cache(maxsize=10_000)  # the same few agencies in every packet
def parse_code(text: str) -> str:
    """The code trimmed and in capitals.

    Raises ValueError when it cannot be a code of either form.
    """
    code = text.strip().upper()
    groups = code.split(".")
    if not code or len(code) > MAX_LENGTH or not all(_GROUP.fullmatch(g) for g in groups):
        msg = f"not an agency code: {text[:50]!r}"
        raise ValueError(msg)
    if not (_LEVEL_ONE.fullmatch(groups[0]) or _LEVEL_ONE.fullmatch(groups[-1])):
        msg = f"no level-one group such as H38 at either end: {text[:50]!r}"
        raise ValueError(msg)
    return code


AgencyCode = Annotated[str, AfterValidator(parse_code)]


def form(code: str) -> Literal["qcvn102", "qd20"]:
    """Which rule a code follows; `H38` alone counts as QĐ 20."""
    return "qd20" if _LEVEL_ONE.fullmatch(code.split(".", maxsplit=1)[0]) else "qcvn102"


def level_one(code: str) -> str:
    """The group of the ministry or province, `H38` of both `000.00.14.H38` and `H38.14`."""
    groups = code.split(".")
    return groups[0] if form(code) == "qd20" else groups[-1]
