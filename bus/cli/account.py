"""`lgsp account add|list|reset|disable|enable`: people who may log in to the console."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bus.cli.lang import say
from bus.cli.options import Json, examples
from bus.cli.output import headings, note, say_line, show_json, show_table, to_json, when
from bus.cli.session import Session
from bus.console.rights import Role
from schemas import instant
from schemas.errors import NotFound

if TYPE_CHECKING:
    from bus.ledger.accounts import Account
    from bus.ledger.ledger import Ledger

account_app = typer.Typer(
    no_args_is_help=True,
    help=say("Tài khoản của giao diện vận hành.", "People who may log in to the console."),
)
Name = Annotated[
    str, typer.Argument(metavar=say("TÊN", "NAME"), help=say("tên tài khoản", "name of account"))
]
_NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{1,63}")


@account_app.command(
    "add",
    help=say(
        "Tạo tài khoản. Mật khẩu đầu chỉ hiện một lần, trên đầu ra chuẩn.",
        "Make an account. Its first password is shown this once, on standard output.",
    )
    + examples(
        "lgsp account add lan.nt --title 'Nguyễn Thị Lan' --role operator",
        "lgsp account add yte --title 'Sở Y tế' --role agency --agency H38.02",
        "lgsp account add minh --title 'Trần Minh' --role auditor --subject 4f1c-…",
    ),
)
def add(
    context: typer.Context,
    name: Name,
    *,
    title: Annotated[str, typer.Option(help=say("họ tên", "the person's name"))],
    role: Annotated[Role, typer.Option(help=say("vai trò", "role"))],
    agency: Annotated[
        list[str] | None,
        typer.Option(help=say("mã cơ quan; nhiều lần được", "code; may be repeated")),
    ] = None,
    subject: Annotated[
        str | None,
        typer.Option(
            help=say(
                "định danh tại đơn vị cấp định danh; khi đó không có mật khẩu",
                "subject at the identity provider; then there is no password",
            )
        ),
    ] = None,
    json: Json = False,
) -> None:
    _check(name, role, agency)
    session = Session.of(context)

    async def act(ledger: Ledger) -> str | None:
        await _declared(ledger, agency or ())
        password, stored = (None, None) if subject is not None else _first()
        await ledger.accounts.add(
            name,
            title=title,
            role=role.value,
            agencies=agency or (),
            password=stored,
            subject=subject,
            now=instant.now(),
        )
        data = {"account": name, "role": role.value, "agencies": agency or []}
        await ledger.note("console-account-added", actor=session.actor, data=data)
        return password

    _show(name, session.run(act), json=json)


@account_app.command("list", help=say("Ai đăng nhập được, với vai trò nào.", "Who may log in."))
def list_(context: typer.Context, *, json: Json = False) -> None:
    rows = Session.of(context).run(lambda ledger: ledger.accounts.all())
    if json:
        show_json({"items": [_as_json(row) for row in rows], "next": None})
        return
    now = instant.now()
    columns = headings(
        "Tên|Họ tên|Vai trò|Cơ quan|Hai lớp|Định danh|Đăng nhập gần nhất|Tình trạng",
        "Name|Title|Role|Agencies|Second factor|Subject|Last log-in|State",
    )
    cells = [
        (
            row.name,
            row.title,
            row.role,
            row.agencies,
            row.totp is not None,
            row.subject,
            when(row.login_at),
            _state(row, now),
        )
        for row in rows
    ]
    show_table(columns, cells, empty=say("Chưa có tài khoản nào.", "No accounts."))


@account_app.command(
    "reset",
    help=say(
        "Mật khẩu đầu mới; bỏ xác thực hai lớp và khóa; kết thúc mọi phiên.",
        "A new first password; removes second factor and lock; ends every session.",
    ),
)
def reset(context: typer.Context, name: Name, *, json: Json = False) -> None:
    session = Session.of(context)

    async def act(ledger: Ledger) -> str | None:
        account = await _existing(ledger, name)
        password, stored = (None, None) if account.subject is not None else _first()
        await ledger.accounts.change(
            name,
            password=stored,
            must_change=stored is not None,
            totp=None,
            failures=0,
            locked_until=0,
        )
        await ledger.accounts.end_all(name)
        await ledger.note("console-account-reset", actor=session.actor, data={"account": name})
        return password

    _show(name, session.run(act), json=json)


@account_app.command(
    "disable", help=say("Không đăng nhập được nữa; kết thúc mọi phiên.", "No log-in any more.")
)
def disable(context: typer.Context, name: Name) -> None:
    _set(context, name, disabled=True)


@account_app.command("enable", help=say("Cho đăng nhập lại.", "Log-in is possible again."))
def enable(context: typer.Context, name: Name) -> None:
    _set(context, name, disabled=False)


def _set(context: typer.Context, name: str, *, disabled: bool) -> None:
    session = Session.of(context)

    async def act(ledger: Ledger) -> None:
        await _existing(ledger, name)
        await ledger.accounts.change(name, disabled=disabled)
        if disabled:
            await ledger.accounts.end_all(name)
        event = "console-account-disabled" if disabled else "console-account-enabled"
        await ledger.note(event, actor=session.actor, data={"account": name})

    session.run(act)
    done = say("đã khóa", "disabled") if disabled else say("đã mở", "enabled")
    say_line(f"✓ {name}: {done}")


def _check(name: str, role: Role, agencies: list[str] | None) -> None:
    if not _NAME.fullmatch(name):
        raise typer.BadParameter(
            say(
                f"{name[:60]!r}: tên gồm 2 đến 64 chữ thường, số, . _ @ -",
                f"{name[:60]!r}: a name has 2 to 64 of lower-case letters, digits, . _ @ -",
            )
        )
    if (role is Role.AGENCY) != bool(agencies):
        raise typer.BadParameter(
            say(
                "vai trò agency, và chỉ vai trò này, cần --agency",
                "role agency needs --agency, and no other role has it",
            )
        )


async def _declared(ledger: Ledger, agencies: Any) -> None:
    known = {agency.code for agency in (await ledger.config.province()).agencies}
    for code in agencies:
        if code not in known:
            raise NotFound(f"no agency {code[:60]}", vi=f"không có cơ quan {code[:60]}")


async def _existing(ledger: Ledger, name: str) -> Account:
    account = await ledger.accounts.find(name)
    if account is None:
        raise NotFound(f"no account {name[:60]}", vi=f"không có tài khoản {name[:60]}")
    return account


def _first() -> tuple[str, str]:
    """A first password, and what is stored of it."""
    # late: argon2 is needed here only
    from bus.console.passwords import first_password, hashed  # noqa: PLC0415

    password = first_password()
    return password, hashed(password)


def _show(name: str, password: str | None, *, json: bool) -> None:
    if json:
        show_json({"account": name, "password": password})
    elif password is None:
        say_line(say(f"✓ {name}: đăng nhập qua định danh", f"✓ {name}: logs in by single sign-on"))
    else:
        note(
            say(
                f"Mật khẩu đầu của {name}. Chỉ hiện lần này; phải đổi khi đăng nhập.",
                f"First password of {name}. Shown this once; it must be changed at log-in.",
            )
        )
        sys.stdout.write(f"{password}\n")


def _state(account: Account, now: int) -> str:
    if account.disabled:
        return f"‖ {say('không dùng', 'disabled')}"
    if account.locked_until > now:
        return f"✗ {say('tạm khóa', 'locked')}"
    return f"✓ {say('dùng được', 'in use')}"


def _as_json(account: Account) -> dict[str, Any]:
    shown = to_json(account)
    del shown["password"], shown["totp"], shown["totpStep"]
    return dict(shown) | {"secondFactor": account.totp is not None}


def add_to(app: typer.Typer) -> None:
    panel = say("Khai báo", "Declare")
    app.add_typer(account_app, name="account", rich_help_panel=panel)
