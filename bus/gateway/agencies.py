"""Danh bạ: finding the code of an agency."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from bus.gateway import describe
from bus.gateway.access import today
from bus.gateway.models import AgencyAnswer, AgencyPage
from bus.gateway.pages import Limit, TextCursor, next_cursor
from bus.gateway.services import Admitted
from routing.directory import Directory, in_force
from schemas.errors import NotFound
from schemas.province import Agency

router = APIRouter(prefix="/api/v1/agencies", tags=["agencies"])


@router.get("", **describe.SEARCH_AGENCIES)
async def search_agencies(
    caller: Admitted,
    q: Annotated[
        str, Query(max_length=200, description="từ trong tên hoặc mã / words of name or code")
    ] = "",
    limit: Limit = 50,
    cursor: TextCursor = None,
) -> AgencyPage:
    found = caller.directory.search(q, limit, cursor)
    items = [_answer(agency, caller.directory) for agency in found]
    return AgencyPage(items=items, next=next_cursor(found, limit, lambda agency: agency.code))


@router.get("/{code}", **describe.SHOW_AGENCY)
async def show_agency(caller: Admitted, code: Annotated[str, Path(max_length=60)]) -> AgencyAnswer:
    """By its own code, in force or not, or by an alias in force today."""
    resolution = caller.directory.resolve(code, today())
    agency = resolution.agency or caller.directory.get(code.strip().upper())
    if agency is None:
        raise NotFound(resolution.explanation.en, vi=resolution.explanation.vi)
    return _answer(agency, caller.directory)


def _answer(agency: Agency, directory: Directory) -> AgencyAnswer:
    own, *aliases = directory.codes_of(agency, today())
    return AgencyAnswer(
        code=own,
        name=agency.name,
        parent=agency.parent,
        aliases=aliases,
        in_force=in_force(agency, today()),
        connected=directory.endpoint_of(agency) is not None,
    )
