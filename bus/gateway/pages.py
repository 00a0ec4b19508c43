"""Parameters that cut a listing into pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, TypeVar

from fastapi import Query
from pydantic import AwareDatetime

from schemas import instant
from schemas.errors import InvalidRequest
from schemas.instant import Instant

MAX_PAGE = 200

Row = TypeVar("Row")

Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="số mục mỗi trang / entries of a page")]
TextCursor = Annotated[
    str | None,
    Query(max_length=100, description="`next` của trang trước / `next` of the page before"),
]
Since = Annotated[
    AwareDatetime | None,
    Query(description="RFC 3339, có múi giờ / with a zone"),
]


def number_cursor(cursor: str | None) -> int | None:
    """Raises InvalidRequest for a cursor this door never gave."""
    if not cursor:
        return None
    if not cursor.isdecimal() or len(cursor) > 18:
        raise InvalidRequest("unknown cursor", vi="Con trỏ trang không hợp lệ", field="cursor")
    return int(cursor)


def next_cursor(rows: Sequence[Row], limit: int, cursor_of: Callable[[Row], str]) -> str | None:
    """The cursor of the page after a full one; a page that is not full is the last."""
    return cursor_of(rows[-1]) if len(rows) == limit else None


def instant_of(moment: datetime | None) -> Instant | None:
    return None if moment is None else instant.from_datetime(moment)
