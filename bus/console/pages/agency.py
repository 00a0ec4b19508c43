"""Một cơ quan: its codes, systems, routes, keys and grants, and whether it can be reached."""

from __future__ import annotations

from datetime import date

from bus.console.editing import Editor
from bus.console.ends import ends_table, known_ends, of_culprits
from bus.console.frame import Page, View
from bus.console.granting import Grants
from bus.console.html import Cell, Html, code, facts, join, link, table, tag
from bus.console.keyring import Keyring
from bus.console.marks import mark
from bus.console.pages.agencies import served_by
from bus.console.proposing import applied
from bus.console.rights import STAFF, Act
from bus.console.trying import Trial
from bus.ops.endpoints import EndpointView, views_of
from routing.table import parse_pattern
from schemas.agency import form
from schemas.errors import NotFound, Text
from schemas.province import Agency, Client, Province
from schemas.vietnam import day_of


async def build(view: View) -> None:
    agency = _agency(view)
    applied(view)
    clients = [each for each in view.snapshot.clients.values() if agency.code in each.agencies]
    view.html(tag("div", facts(_facts(view, agency)), class_="panel"))
    view.heading("Hệ thống và đường đi", "Systems and routes")
    view.html(await _endpoint(view, agency))
    view.html(_routes(view, agency))
    view.html(await _ends(view, agency, clients))
    view.heading("Hệ thống gọi trục và khóa", "Callers and their keys")
    if not clients:
        told = view.say("Không hệ thống nào gọi trục thay cơ quan này.", "Nobody calls for it.")
        view.html(tag("p", told, class_="empty"))
    for client in clients:
        view.html(tag("p", _client(view, client)))
        await Keyring(view, client).show()
    view.heading("Quyền gọi dịch vụ", "Grants")
    Grants(view, agency.code, [client.id for client in clients])
    if view.visitor.may(Act.TEST):
        view.heading("Gửi thử", "Test message")
        Trial(view, agency.code)
    if view.visitor.may(Act.CONFIGURE):
        view.heading("Sửa khai báo", "Change what is declared")
        _editor(view, agency, clients)


async def _ends(view: View, agency: Agency, clients: list[Client]) -> Html:
    """What of its own systems ends; nothing is drawn of what is good for ever."""
    culprits = {f"client:{each.id}" for each in clients}
    if agency.endpoint is not None:
        culprits.add(f"endpoint:{agency.endpoint}")
    found = of_culprits(await known_ends(view), culprits)
    if not found:
        return Html("")
    title = view.say("Hết hạn khi nào", "What ends when")
    return tag("section", tag("h2", title), ends_table(view, found, empty=""), class_="stack")


def _agency(view: View) -> Agency:
    """By its own code, or one that means it today. Raises NotFound."""
    wanted = str(view.request.path_params["code"])
    directory = view.snapshot.directory
    found = directory.get(wanted) or directory.resolve(wanted, day_of(view.ledger.clock())).agency
    if found is None:
        raise NotFound(f"no agency {wanted[:40]}", vi=f"không có cơ quan {wanted[:40]}")
    return found


def _facts(view: View, agency: Agency) -> list[tuple[str, Cell]]:
    say, directory = view.say, view.snapshot.directory
    codes = [_code(view, agency.code, agency.valid_from, agency.valid_to)]
    codes += [_code(view, a.code, a.valid_from, a.valid_to) for a in agency.aliases]
    parent = agency.parent
    above = link(view.agency(parent), f"/agency/{parent}") if parent else None
    below = len(directory.descendants(agency.code))
    source = say(f"danh bạ của {agency.source}", f"the directory of {agency.source}")
    return [
        (say("Tên", "Name"), agency.name),
        (say("Mã", "Codes"), join(*codes, by=" · ")),
        (say("Cấp trên", "Parent"), above),
        (say("Cơ quan cấp dưới", "Agencies below"), say.number(below)),
        (say("Tới được qua", "Reached by"), served_by(view, directory, agency)),
        (
            say("Khai báo bởi", "Declared by"),
            source if agency.source else say("quản trị trục", "the administrator"),
        ),
    ]


def _code(view: View, text: str, begins: date | None, ends: date | None) -> Html:
    rule = "QĐ 20/2020" if form(text) == "qd20" else "QCVN 102:2016"
    parts: list[Cell] = [code(text), f"({rule})"]
    if begins:
        parts.append(view.say(f"từ {begins:%d/%m/%Y}", f"from {begins:%d/%m/%Y}"))
    if ends:
        parts.append(view.say(f"đến {ends:%d/%m/%Y}", f"up to {ends:%d/%m/%Y}"))
    return join(*parts)


async def _endpoint(view: View, agency: Agency) -> Html:
    say = view.say
    connection = view.snapshot.directory.endpoint_of(agency)
    declared = view.snapshot.endpoints.get(connection.endpoint) if connection else None
    if declared is None:
        told = say(
            "Chưa có điểm kết nối: thông điệp tới cơ quan này chưa có đường đi.",
            "No endpoint: nothing can reach this agency yet.",
        )
        return tag("p", mark("!", "warn", told))
    seen = next(v for v in await views_of(view.ledger, [declared]) if v.name == declared.name)
    config = [(name, str(value)) for name, value in declared.config.items()]
    rows: list[tuple[str, Cell]] = [
        (say("Điểm kết nối", "Endpoint"), link(declared.name, f"/endpoints#{declared.name}")),
        (say("Loại", "Kind"), declared.kind),
        (say("Tên hệ thống", "Title"), declared.title),
        (say("Tình trạng", "State"), _state(view, seen)),
        *config,
    ]
    return tag("div", facts(rows), class_="panel")


def _state(view: View, seen: EndpointView) -> Html:
    waiting = view.say.number(sum(seen.counts.values()))
    told = view.say(f"{waiting} chuyển phát còn mở", f"{waiting} open deliveries")
    if seen.paused:
        return join(mark("‖", "warn", view.say("tạm dừng", "paused")), told, by=" · ")
    if seen.broken:
        return join(mark("✗", "bad", view.say("ngắt mạch", "breaker open")), told, by=" · ")
    return join(mark("✓", "good", view.say("chạy", "running")), told, by=" · ")


def _routes(view: View, agency: Agency) -> Html:
    """Exceptions that name it, and subscriptions of which it is a receiver."""
    say, snapshot = view.say, view.snapshot
    codes = snapshot.directory.codes_of(agency, day_of(view.ledger.clock()))
    rows: list[tuple[Cell, ...]] = [
        (
            say("quy tắc", "route"),
            route.name,
            f"{route.sender} → {route.receiver}",
            route.action,
            route.endpoint,
            route.reason,
        )
        for route in snapshot.routes
        if _names(route.receiver, codes) or _names(route.sender, codes)
    ]
    rows += [
        (
            say("đăng ký nhận", "subscription"),
            each.name,
            f"{each.sender} → {', '.join(each.receivers)}",
            ", ".join(each.kinds),
            None,
            None,
        )
        for each in snapshot.subscriptions
        if agency.code in each.receivers
    ]
    columns = [
        say("Loại", "What"),
        say("Tên", "Name"),
        say("Gửi → nhận", "From → to"),
        say("Xử lý", "Action"),
        say("Điểm kết nối", "Endpoint"),
        say("Lý do", "Reason"),
    ]
    empty = say(
        "Không có quy tắc riêng: đi theo danh bạ.", "No rules of its own: the directory decides."
    )
    return table(say("Quy tắc và đăng ký", "Routes and subscriptions"), columns, rows, empty=empty)


def _names(pattern: str, codes: tuple[str, ...]) -> bool:
    return pattern.strip() != "*" and parse_pattern(pattern)(codes)


def _client(view: View, client: Client) -> Html:
    say = view.say
    parts: list[Cell] = [tag("b", client.id), client.title]
    if client.descendants:
        parts.append(say("nói thay cả cấp dưới", "and for those below"))
    if client.suspended:
        parts.append(mark("‖", "warn", say("tạm ngừng", "suspended")))
    return join(*parts, by=" · ")


def _editor(view: View, agency: Agency, clients: list[Client]) -> None:
    """Everything that is this agency's alone."""
    snapshot = view.snapshot
    own = snapshot.endpoints.get(agency.endpoint) if agency.endpoint else None
    shown = Province(
        agencies=(agency,) if agency.source is None else (),
        endpoints=(own,) if own and agency.source is None else (),
        clients=tuple(clients),
        subscriptions=tuple(s for s in snapshot.subscriptions if s.receivers == (agency.code,)),
    )
    Editor(view, shown)


PAGE = Page("/agency/{code}", Text("Một cơ quan", "An agency"), build, roles=STAFF)
