"""Danh bạ: finding the code of an agency."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from bus.gateway import describe
from bus.gateway.models import AgencyAnswer, AgencyPage
from bus.gateway.pages import Limit, TextCursor, next_cursor
from bus.gateway.services import Entered

router = APIRouter(prefix="/api/v1/agencies", tags=["agencies"])


@router.get("", **describe.SEARCH_AGENCIES)
async def search_agencies(
    door: Entered,
    q: Annotated[
        str, Query(max_length=200, description="từ trong tên hoặc mã / words of name or code")
    ] = "",
    limit: Limit = 50,
    cursor: TextCursor = None,
) -> AgencyPage:
    found = door.agencies(q, after=cursor, limit=limit)
    items = [AgencyAnswer.model_validate(entry) for entry in found]
    return AgencyPage(items=items, next=next_cursor(found, limit, lambda agency: agency.code))


@router.get("/{code}", **describe.SHOW_AGENCY)
async def show_agency(door: Entered, code: Annotated[str, Path(max_length=60)]) -> AgencyAnswer:
    """By its own code, in force or not, or by an alias in force today."""
    return AgencyAnswer.model_validate(door.agency(code))
