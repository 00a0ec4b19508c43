"""Shared catalogues simulated: some answer JSON, some the XML of a WSO2 data service."""

from __future__ import annotations

import itertools
from xml.sax.saxutils import escape

import orjson
from aiohttp import web

_XML = "http://ws.wso2.org/dataservice/dmdc"

METADATA = {
    "madantoc": (("MaDanToc", "Mã dân tộc", "String"), ("TenDanToc", "Tên dân tộc", "String")),
    "qlvanbandieuhanhcap1": (
        ("MaDinhDanhCap1", "Mã định danh cấp 1", "String"),
        ("TenDonVi", "Tên đơn vị", "String"),
        ("NgayBanHanhQd", "Ngày ban hành QĐ", "DateTime"),
    ),
}


class CataloguesDesk:
    """Lists come as JSON and as XML in turn."""

    name, guarded = "catalogues", True

    def __init__(self) -> None:
        self.rows: dict[str, list[dict[str, str | None]]] = {
            "madantoc": [
                {"MaDanToc": "01", "TenDanToc": "Kinh"},
                {"MaDanToc": "02", "TenDanToc": "Tày & Nùng"},
            ],
            "qlvanbandieuhanhcap1": [
                {
                    "MaDinhDanhCap1": "000.00.00.H99",
                    "TenDonVi": "UBND tỉnh Mẫu",
                    "NgayBanHanhQd": None,
                }
            ],
        }
        self._turn = itertools.count()

    async def answer(self, request: web.Request, path: str, body: bytes) -> web.Response:
        part, _, category = path.partition("/")
        if part == "AllCategory":
            return web.json_response([{"CategoryCode": name} for name in self.rows])
        if category not in self.rows or part not in {"Metadata", "Category"}:
            return web.json_response({"MSG": "Category not found", "Count": 0})
        if request.method == "POST":
            return self._add(category, body)
        if part == "Metadata":
            names = ("PropertyCode", "PropertyName", "PropertyType")
            return web.json_response(
                [dict(zip(names, each, strict=True)) for each in METADATA[category]]
            )
        rows = self.rows[category]
        return web.json_response(rows) if next(self._turn) % 2 == 0 else _as_xml(rows)

    def _add(self, category: str, body: bytes) -> web.Response:
        key = METADATA[category][0][0]
        known = {row[key] for row in self.rows[category]}
        for number, row in enumerate(orjson.loads(body), 1):
            if not row.get(key):
                return _not_added(number, f"{key} is required")
            if row[key] in known:
                return _not_added(number, f'{key} "{row[key]} is duplicate')
            self.rows[category].append(row)
        return web.json_response({"MSG": "Done", "Count": len(orjson.loads(body))})


def _not_added(number: int, why: str) -> web.Response:
    return web.json_response({"MSG": f"Data not insert: Record {number}: {why}", "Count": 0})


def _as_xml(rows: list[dict[str, str | None]]) -> web.Response:
    cells = (
        "".join(f"<{name}>{escape(text or '')}</{name}>" for name, text in row.items())
        for row in rows
    )
    entries = "".join(f"<Entry>{each}</Entry>" for each in cells)
    return web.Response(
        text=f'<Entries xmlns="{_XML}">{entries}</Entries>', content_type="application/xml"
    )
