"""`lgsp client list`, `lgsp client key add|list|retire`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from bus.cli.lang import say
from bus.cli.options import Json, examples, parse_seconds
from bus.cli.output import headings, note, say_line, show_json, show_table, to_json, when
from bus.cli.session import Session
from schemas import instant
from schemas.instant import SECOND, Instant, to_iso

if TYPE_CHECKING:
    from bus.ledger.identities import KeyRow
    from bus.ledger.ledger import Ledger
    from schemas.province import Client

client_app = typer.Typer(
    no_args_is_help=True, help=say("Hệ thống được cấp quyền.", "Systems that may call the bus.")
)
key_app = typer.Typer(no_args_is_help=True, help=say("Khóa của hệ thống.", "Keys of a system."))
client_app.add_typer(key_app, name="key")

ClientId = Annotated[str, typer.Argument(metavar=say("HỆ_THỐNG", "CLIENT"))]
Span = Annotated[
    int | None,
    typer.Option(
        parser=parse_seconds,
        metavar=say("THỜI_GIAN", "SPAN"),
        help=say("90s, 30m, 24h, 365d nữa", "90s, 30m, 24h, 365d from now"),
    ),
]


@client_app.command("list", help=say("Ai được gọi trục, thay cho cơ quan nào.", "Who may call."))
def list_(context: typer.Context, *, json: Json = False) -> None:
    async def read(ledger: Ledger) -> list[tuple[Client, list[KeyRow]]]:
        clients = (await ledger.config.province()).clients
        return [(client, await ledger.identities.keys(client.id)) for client in clients]

    now = instant.now()
    found = [(c, _in_force(keys, now)) for c, keys in Session.of(context).run(read)]
    if json:
        items = [to_json(c.model_dump(mode="json")) | {"keysInForce": n} for c, n in found]
        show_json({"items": items, "next": None})
        return
    columns = headings(
        "Hệ thống|Tên|Cơ quan|Cả cấp dưới|Vai trò|Yêu cầu/s|Khóa|Tạm ngừng",
        "Client|Title|Agencies|And below|Roles|Requests/s|Keys|Suspended",
    )
    cells = [
        (c.id, c.title, c.agencies, c.descendants, c.roles, f"{c.rate:g}", keys, c.suspended)
        for c, keys in found
    ]
    show_table(columns, cells, empty=say("Chưa khai báo hệ thống nào.", "No clients."))


@key_app.command(
    "add",
    help=say(
        "Cấp khóa mới, bên cạnh khóa cũ. Khóa chỉ hiện một lần, trên đầu ra chuẩn.",
        "Issue a new key beside the old ones. It is shown this once, on standard output.",
    )
    + examples("lgsp client key add qlvb-so-y-te --expires-in 365d"),
)
def add(
    context: typer.Context, client: ClientId, *, expires_in: Span = None, json: Json = False
) -> None:
    session = Session.of(context)
    expires_at = _from_now(expires_in)

    from bus.ops import keys  # noqa: PLC0415 - late: the ledger is behind it

    key, hint = session.run(
        lambda ledger: keys.issue(ledger, client, expires_at=expires_at, actor=session.actor)
    )
    if json:
        show_json({"client": client, "key": key, "hint": hint, "expiresAt": to_iso(expires_at)})
        return
    note(
        say(
            f"Khóa mới của {client} (dấu hiệu {hint}). Chỉ hiện lần này; trục chỉ giữ mã băm.",
            f"New key of {client} (hint {hint}). Shown this once; the bus keeps only its hash.",
        )
    )
    sys.stdout.write(f"{key}\n")


@key_app.command("list", help=say("Các khóa, không hiện bí mật.", "Its keys, never the secrets."))
def list_keys(context: typer.Context, client: ClientId, *, json: Json = False) -> None:
    async def read(ledger: Ledger) -> list[KeyRow]:
        keys = await ledger.identities.keys(client)
        if not keys:
            await _declared(ledger, client)
        return keys

    keys = Session.of(context).run(read)
    now = instant.now()
    if json:
        items = [to_json(key) | {"inForce": _good(key, now)} for key in keys]
        show_json({"items": items, "next": None})
        return
    columns = headings("Dấu hiệu|Cấp lúc|Hết hạn|Còn hiệu lực", "Hint|Issued|Ends|In force")
    cells = [(k.hint, when(k.created_at), when(k.expires_at), _good(k, now)) for k in keys]
    show_table(columns, cells, empty=say("Chưa có khóa.", "No keys."))


@key_app.command(
    "retire",
    help=say(
        "Cho khóa hết hạn, ngay hoặc sau một thời gian để hai khóa gối nhau.",
        "End a key, now or after a while so that two keys overlap.",
    )
    + examples("lgsp client key retire qlvb-so-y-te lgspk_Ab12Cd --in 24h"),
)
def retire(
    context: typer.Context,
    client: ClientId,
    hint: Annotated[str, typer.Argument(metavar=say("DẤU_HIỆU", "HINT"))],
    *,
    in_: Annotated[
        int | None,
        typer.Option(
            "--in",
            parser=parse_seconds,
            metavar=say("THỜI_GIAN", "SPAN"),
            help=say("sau 24h, 7d…; nếu không: ngay", "after 24h, 7d…; else now"),
        ),
    ] = None,
    json: Json = False,
) -> None:
    session = Session.of(context)
    at = _from_now(in_ or 0) or instant.now()

    from bus.ops import keys  # noqa: PLC0415 - as above

    session.run(lambda ledger: keys.retire(ledger, client, hint, at=at, actor=session.actor))
    if json:
        show_json({"client": client, "hint": hint, "endsAt": to_iso(at)})
        return
    moment = when(at)
    say_line(say(f"✓ {hint}: hết hạn lúc {moment}", f"✓ {hint}: ends at {moment}"))


async def _declared(ledger: Ledger, client: str) -> None:
    from bus.ops import keys  # noqa: PLC0415 - as above

    if all(each.id != client for each in (await ledger.config.province()).clients):
        raise keys.not_declared(client)


def _from_now(seconds: int | None) -> Instant | None:
    return None if seconds is None else instant.now() + seconds * SECOND


def _good(key: KeyRow, now: Instant) -> bool:
    return key.expires_at is None or key.expires_at > now


def _in_force(keys: list[KeyRow], now: Instant) -> int:
    return sum(_good(key, now) for key in keys)


def add_to(app: typer.Typer) -> None:
    panel = say("Khai báo", "Declare")
    app.add_typer(client_app, name="client", rich_help_panel=panel)
