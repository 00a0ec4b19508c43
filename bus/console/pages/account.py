"""Tài khoản của tôi: who I am here, my second factor."""

from __future__ import annotations

import segno
from nicegui import ui

from bus.console import totp
from bus.console.frame import Page, View
from bus.console.html import Html, code, facts, tag
from bus.console.rights import ROLES
from schemas.errors import LgspError, Text


async def build(view: View) -> None:
    say, account = view.say, view.visitor.account
    agencies = ", ".join(map(view.agency, account.agencies)) or say("tất cả", "all")
    view.html(
        facts(
            (
                (say("Tài khoản", "Account"), account.name),
                (say("Họ tên", "Name"), account.title),
                (say("Vai trò", "Role"), say.text(ROLES[view.visitor.role])),
                (say("Cơ quan", "Agencies"), agencies),
                (say("Đăng nhập gần nhất", "Last log-in"), say.moment(account.login_at)),
            )
        )
    )
    view.heading("Xác thực hai lớp", "Second factor")
    if account.password is None:
        text = say(
            "Bạn đăng nhập qua đơn vị cấp định danh; lớp thứ hai đặt ở đó.",
            "You log in through the identity provider; the second factor is set there.",
        )
        view.html(tag("p", text))
    elif account.totp is not None:
        text = say(
            "Đã bật. Mất điện thoại thì nhờ quản trị trục đặt lại.",
            "On. If the phone is lost, the administrator of the bus resets it.",
        )
        view.html(tag("p", f"✓ {text}"))
    elif view.console.desk.offers_authenticator:
        _offer(view)
    else:
        text = say(
            "Trục chưa có bí mật console-totp nên chưa bật được; quản trị trục đặt bí mật này.",
            "The bus has no secret console-totp yet; the administrator sets it first.",
        )
        view.html(tag("p", text))


def _offer(view: View) -> None:
    say, name = view.say, view.visitor.account.name
    secret = totp.new_secret()
    text = say(
        "Quét mã bằng ứng dụng xác thực, rồi nhập 6 chữ số hiện ra.",
        "Scan this with an authenticator, then type the 6 digits it shows.",
    )
    picture = segno.make(totp.address(secret, name), micro=False).svg_data_uri(scale=5, border=3)
    drawn = Html(f'<img class="qr" src="{picture}" alt="{say("mã QR", "QR code")}">')
    view.html(tag("div", tag("p", text), drawn, tag("p", code(totp.as_text(secret)))))
    given = ui.input(say("Mã 6 chữ số", "6 digits")).props("outlined dense")

    async def register() -> None:
        try:
            now = await view.console.authority.again(view.visitor)
            await view.console.desk.register(now.account, secret, given.value or "")
        except LgspError as error:
            view.tell(error)
        else:
            ui.navigate.reload()

    view.button("Bật xác thực hai lớp", "Turn it on", register, kind="main")


PAGE = Page("/account", Text("Tài khoản của tôi", "My account"), build)
