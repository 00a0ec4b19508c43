"""Shared catalogues: rows as JSON or as XML of a WSO2 data service, additions told in words.

Source: public clients of /dmdc at Quảng Bình and NGSP (JSON); Đà Nẵng's gateway answers XML.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from lxml import etree
from pydantic import AfterValidator, Field, StringConstraints

from adapters.national.cursor import MAX_CURSOR, checked, digest, pack, unpack
from adapters.national.model import Part, blank_is_none, says
from adapters.national.port import CallContext
from adapters.national.service import (
    Answer,
    NationalConfig,
    Operation,
    Request,
    garbage,
    good,
    parse_json,
    post,
    refusal,
)
from schemas.errors import InvalidRequest, TooLarge
from schemas.service import Changes
from schemas.xml import Limits, parse

_LIMITS = Limits(size=16_000_000, elements=500_000)
_RECORD = re.compile(r"record \d+", re.IGNORECASE)

Category = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{1,64}$")]
Row = dict[str, str | None]


Cursor = Annotated[str, StringConstraints(max_length=MAX_CURSOR), AfterValidator(checked)]
CHANGES = Changes(
    cursor="cursor", next="cursor", changed=("changed",), removed=("removed",), key="code"
)


class CataloguesConfig(NationalConfig):
    service: Literal["catalogues"] = "catalogues"


class Nothing(Part):
    """No question is needed."""


class CategoryQuestion(Part):
    category: Category


class ChangesQuestion(CategoryQuestion):
    cursor: Cursor = ""  # empty: from the beginning


class RowQuestion(CategoryQuestion):
    row: Annotated[dict[str, str], Field(min_length=1, max_length=100)]


class Categories(Part):
    categories: tuple[str, ...]


class Property(Part):
    code: str
    name: str | None
    type: str | None  # String, DateTime, …


class Metadata(Part):
    properties: tuple[Property, ...]


class Rows(Part):
    rows: tuple[Row, ...]
    """Texts as they are written; null where there is none."""


class RowChange(Part):
    code: str  # the row's first column, by which it is known
    row: Row


class RowChanges(Part):
    changed: tuple[RowChange, ...]  # new ones, and those with another content
    removed: tuple[str, ...]  # codes
    cursor: str  # for the next question


class Addition(Part):
    added: int
    duplicate: bool  # it had been there before: nothing was added, nothing is wrong


def operations(_config: CataloguesConfig) -> tuple[Operation[Any, Any], ...]:
    return (
        Operation(
            "categories",
            "Các danh mục hiện có",
            "The catalogues there are",
            Nothing,
            Categories,
            _ask_all,
            read_categories,
        ),
        Operation(
            "metadata",
            "Cấu trúc của danh mục",
            "The columns of a catalogue",
            CategoryQuestion,
            Metadata,
            _ask_metadata,
            read_metadata,
        ),
        Operation(
            "rows",
            "Nội dung của danh mục",
            "The rows of a catalogue",
            CategoryQuestion,
            Rows,
            _ask_rows,
            read_rows,
        ),
        Operation(
            "changes",
            "Dòng của danh mục thay đổi từ lần hỏi trước",
            "What changed in the rows of a catalogue since a cursor",
            ChangesQuestion,
            RowChanges,
            _ask_rows,
            read_changes,
            finish=since,
            changes=CHANGES,
        ),
        Operation(
            "add",
            "Thêm vào danh mục",
            "Add a row to a catalogue",
            RowQuestion,
            Addition,
            _add_row,
            read_addition,
        ),
    )


def _ask_all(_ask: Nothing, _: CallContext) -> Request:
    return Request("GET", "AllCategory")


def _ask_metadata(ask: CategoryQuestion, _: CallContext) -> Request:
    return Request("GET", f"Metadata/{ask.category}")


def _ask_rows(ask: CategoryQuestion, _: CallContext) -> Request:
    return Request("GET", f"Category/{ask.category}")


def _add_row(ask: RowQuestion, _: CallContext) -> Request:
    return post(f"Category/{ask.category}", [ask.row])


def read_categories(answer: Answer) -> Categories:
    """A list of names, or of rows with the name first. Raises PartnerError."""
    found = _items(answer)
    names = (next(iter(each.values()), None) if isinstance(each, dict) else each for each in found)
    return Categories(categories=tuple(str(name) for name in names if name))


def read_metadata(answer: Answer) -> Metadata:
    """Raises PartnerError."""
    rows = [each for each in _items(answer) if isinstance(each, dict) and each.get("PropertyCode")]
    return Metadata(
        properties=tuple(
            Property(
                code=str(each["PropertyCode"]),
                name=blank_is_none(each.get("PropertyName")),
                type=blank_is_none(each.get("PropertyType")),
            )
            for each in rows
        )
    )


def read_rows(answer: Answer) -> Rows:
    """Raises PartnerError."""
    rows = (each for each in _items(answer) if isinstance(each, dict))
    return Rows(
        rows=tuple({name: blank_is_none(text) for name, text in row.items()} for row in rows)
    )


def read_changes(answer: Answer) -> RowChanges:
    """Everything there is; `since` leaves out what the cursor has. Raises PartnerError."""
    rows = tuple(RowChange(code=_code(row), row=row) for row in read_rows(answer).rows)
    return RowChanges(changed=rows, removed=(), cursor=pack(_seen(rows)))


def since(ask: ChangesQuestion, told: RowChanges) -> RowChanges:
    known = unpack(ask.cursor) if ask.cursor else {}
    now = _seen(told.changed)
    return RowChanges(
        changed=tuple(each for each in told.changed if known.get(each.code) != now[each.code]),
        removed=tuple(sorted(known.keys() - now.keys())),
        cursor=told.cursor,
    )


def _seen(rows: tuple[RowChange, ...]) -> dict[str, str]:
    """A code that stands twice changes when either row does."""
    found: dict[str, list[list[tuple[str, str | None]]]] = {}
    for each in rows:
        found.setdefault(each.code, []).append(sorted(each.row.items()))
    return {code: digest(repr(same)) for code, same in found.items()}


def _code(row: Row) -> str:
    return next(iter(row.values()), None) or ""


def read_addition(answer: Answer) -> Addition:
    """The answer is a sentence; a duplicate is what a repeated addition meets.

    Raises PartnerError.
    """
    found = parse_json(good(answer))
    if not isinstance(found, dict) or "MSG" not in found:
        raise garbage("no MSG", "không có MSG")
    said, count = str(found["MSG"]).strip(), str(found.get("Count", "0"))
    if says(said, "duplicate", "đã tồn tại"):
        return Addition(added=0, duplicate=True)
    if said.lower() == "done" and count.isdigit():
        return Addition(added=int(count), duplicate=False)
    record = _RECORD.search(said)
    raise refusal(record[0].lower() if record else "", said)


def _items(answer: Answer) -> list[Any]:
    """Raises PartnerError."""
    body = good(answer).strip()
    if body[:1] == b"<":
        return _xml_items(body)
    found = parse_json(body)
    for _ in range(2):  # {"Entries": {"Entry": [...]}}, as a data service writes JSON
        if isinstance(found, dict) and len(found) == 1:
            found = next(iter(found.values()))
    if isinstance(found, dict) and "MSG" in found:
        raise refusal("", str(found["MSG"]))
    if isinstance(found, dict):  # a list of one
        found = [found]
    if not isinstance(found, list):
        raise garbage("no rows", "không phải danh sách")
    return found


def _xml_items(body: bytes) -> list[Any]:
    """`<Entries xmlns="http://ws.wso2.org/dataservice/…"><Entry><Ma>…` in whatever namespace."""
    try:
        root = parse(body, _LIMITS)
    except (InvalidRequest, TooLarge):
        raise garbage("what is no XML", "không phải XML") from None
    if etree.QName(root).localname.lower() in {"html", "fault"}:
        raise garbage("a page or a fault", "một trang web hoặc lỗi")
    return [
        {etree.QName(cell).localname: (cell.text or "").strip() or None for cell in row}
        if len(row)
        else (row.text or "").strip()
        for row in root
    ]
