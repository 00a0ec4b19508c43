"""Cấp quyền: which services an agency, or one of its systems, may call, and what it sees."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from nicegui import ui

from bus.console.frame import View
from bus.console.html import code, join, table, tag
from bus.console.marks import mark
from bus.console.proposing import Review
from bus.console.rights import Act
from bus.ops.onboarding import parsed
from bus.ops.province_change import in_place_of
from schemas.errors import LgspError
from schemas.province import Province
from schemas.service import ALL, Grant, Service

NEW = ""


def grants_of(view: View) -> list[Grant]:
    """Of those agencies whose traffic the person sees; and of their systems."""
    own = view.visitor.agencies
    if own is None:
        return list(view.snapshot.grants)
    return [each for each in view.snapshot.grants if _is_to(view, each, own)]


def _is_to(view: View, grant: Grant, own: Collection[str]) -> bool:
    if grant.client is None:
        return grant.agency in own
    client = view.snapshot.clients.get(grant.client)
    return client is not None and not set(client.agencies).isdisjoint(own)


def services_of(view: View) -> list[Service]:
    """Those declared; for agencies, those that are granted to them."""
    services = list(view.snapshot.services.values())
    if view.visitor.agencies is None:
        return services
    granted = {grant.service for grant in grants_of(view)}
    return [each for each in services if each.name in granted]


class Grants:
    """Those of one agency; built where it is made."""

    def __init__(self, view: View, agency: str, clients: Sequence[str]) -> None:
        self._view = view
        self._agency = agency
        holders = {agency, *clients}
        self._grants = {
            grant.name: grant
            for grant in view.snapshot.grants
            if grant.agency in holders or grant.client in holders
        }
        self._holders = [agency, *clients]
        self._listed()
        if view.visitor.may(Act.CONFIGURE):
            self._form()

    def _listed(self) -> None:
        say = self._view.say
        rows = [
            (
                code(grant.name),
                grant.agency or grant.client,
                grant.service,
                _all_or(say("mọi thao tác", "every operation"), grant.operations),
                _all_or(say("mọi trường", "every field"), grant.fields),
                join(*grant.purposes, by=", "),
                f"{_day(grant.valid_from)} – {_day(grant.valid_to)}",
                mark("‖", "warn", say("tạm dừng", "suspended"))
                if grant.suspended
                else mark("✓", "good", say("đang cấp", "granted")),
            )
            for grant in self._grants.values()
        ]
        columns = [say(*each) for each in _COLUMNS]
        empty = say("Chưa được gọi dịch vụ nào.", "It may call no service.")
        self._view.html(table(say("Quyền đã cấp", "Grants"), columns, rows, empty=empty))

    def _form(self) -> None:
        view, say = self._view, self._view.say
        services = sorted({service.name for service in view.snapshot.services.values()})
        names = {NEW: say("(quyền mới)", "(a new one)")} | {name: name for name in self._grants}
        folded = ui.expansion(say("Cấp, sửa hoặc bỏ quyền", "Grant, change or take away"))
        with folded, ui.element("div").classes("stack"):
            which = ui.select(names, value=NEW, label=say("Quyền", "Grant"))
            name = ui.input(say("Tên của quyền", "Its name"))
            holder = ui.select(self._holders, value=self._agency, label=say("Cho", "To"))
            service = ui.select(services, label=say("Dịch vụ", "Service"))
            operations = ui.input(say("Thao tác, cách nhau bằng dấu phẩy", "Operations, by commas"))
            fields = ui.input(say("Trường được xem", "Fields that are seen"))
            purposes = ui.input(say("Mục đích được nêu", "Purposes that may be given"))
            suspended = ui.checkbox(say("Tạm dừng", "Suspended"))
            for each in (which, name, holder, service, operations, fields, purposes):
                each.props("outlined dense").classes("field")
            told = say(
                "* là tất cả. Trường viết theo đường dẫn: CongDan/HoVaTen; trường ngoài danh "
                "sách bị lược khỏi câu trả lời.",
                "* is everything. Fields are paths: CongDan/HoVaTen; those that are not named "
                "are withheld from answers.",
            )
            view.html(tag("p", told, class_="help"))

            def load() -> None:
                old = self._grants.get(which.value or NEW)
                name.value = old.name if old else ""
                holder.value = (old.agency or old.client) if old else self._agency
                service.value = old.service if old else None
                operations.value = ", ".join(old.operations) if old else ALL
                fields.value = ", ".join(old.fields) if old else ALL
                purposes.value = ", ".join(old.purposes) if old else ""
                suspended.value = old.suspended if old else False

            which.on_value_change(load)
            load()

            def made() -> Grant:
                """Raises ConfigurationError."""
                old = self._grants.get(which.value or NEW)
                to = "agency" if holder.value == self._agency else "client"
                given = (old.model_dump(exclude_defaults=True) if old else {}) | {
                    "name": (name.value or "").strip(),
                    "agency": None,
                    "client": None,
                    "service": service.value or "",
                    "operations": _words(operations.value),
                    "fields": _words(fields.value),
                    "purposes": _words(purposes.value),
                    "suspended": bool(suspended.value),
                }
                return parsed(Grant, "grant", given | {to: holder.value})

            self._buttons(which, made)

    def _buttons(self, which: ui.select, made: Callable[[], Grant]) -> None:
        view = self._view

        def shown() -> Province:
            old = self._grants.get(which.value or NEW)
            return Province(grants=(old,) if old else ())

        async def look() -> None:
            try:
                grant = made()
            except LgspError as error:
                view.tell(error)
            else:
                await review.show(in_place_of(shown(), Province(grants=(grant,))))

        async def take_away() -> None:
            await review.show(in_place_of(shown(), Province()))

        with ui.element("div").classes("line"):
            view.button("Xem thay đổi", "Look at the change", look, kind="main")
            view.button("Bỏ quyền này", "Take it away", take_away, kind="danger")
        review = Review(view)


_COLUMNS = (
    ("Tên", "Name"),
    ("Cho", "To"),
    ("Dịch vụ", "Service"),
    ("Thao tác", "Operations"),
    ("Trường được xem", "Fields seen"),
    ("Mục đích", "Purposes"),
    ("Hiệu lực", "In force"),
    ("Tình trạng", "State"),
)


def _all_or(everything: str, some: Sequence[str]) -> str:
    return everything if ALL in some else join(*some, by=", ")


def _day(day: object) -> str:
    return "…" if day is None else f"{day:%d/%m/%Y}"


def _words(text: str | None) -> list[str]:
    return [word for part in (text or "").split(",") if (word := part.strip())]
