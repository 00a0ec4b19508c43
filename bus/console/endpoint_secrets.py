"""Bí mật của điểm kết nối: made or handed over here, shown once, then named in its configuration.

The value goes into the folder of secrets and onto this page, nowhere else. The endpoint is told
the new name by a change of what is declared, so whoever looks on sees when it was replaced.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC

from nicegui import ui

from adapters import registry
from bus.console.ends import end_mark
from bus.console.frame import View
from bus.console.html import Cell, Html, code, facts, table, tag
from bus.console.keyring import after
from bus.console.marks import mark
from bus.console.proposing import Review
from bus.console.rights import Act
from bus.console.visitor import Visitor
from bus.ledger.secret_lives import SecretLife
from bus.ops import secret_files
from bus.ops.province_change import in_place_of
from schemas.errors import ConfigurationError
from schemas.instant import to_datetime
from schemas.province import Endpoint, Province

PREVIOUS = "previous_"
DAYS = 365


def secret_fields(endpoint: Endpoint) -> list[str]:
    """Fields of its configuration that name secrets it has."""
    adapter = registry.adapters().get(endpoint.kind)
    names = () if adapter is None else adapter.manifest.secrets
    return [name for name in names if endpoint.config.get(name)]


class EndpointSecrets:
    """Built where it is made."""

    def __init__(self, view: View, endpoint: Endpoint, lives: dict[str, SecretLife]) -> None:
        self._view = view
        self._endpoint = endpoint
        view.html(self._listed(lives))
        self._fields = [each for each in secret_fields(endpoint) if not each.startswith(PREVIOUS)]
        if self._fields and view.visitor.may(Act.MANAGE_KEYS):
            self._form()

    def _listed(self, lives: dict[str, SecretLife]) -> Html:
        view, say = self._view, self._view.say
        rows: list[tuple[Cell, ...]] = []
        for field in secret_fields(self._endpoint):
            name = str(self._endpoint.config[field])
            life = lives.get(name)
            ends = "" if life is None or life.ends_at is None else end_mark(view, life.ends_at)
            rows.append(
                (
                    code(field),
                    code(name),
                    _there(view, name),
                    say.moment(life.made_at) if life else say("trước khi ghi sổ", "not noted"),
                    ends or say("không hạn", "never"),
                )
            )
        columns = [
            say("Trường", "Field"),
            say("Tên bí mật", "Name of the secret"),
            say("Có trên trục", "The bus has it"),
            say("Tạo lúc", "Made"),
            say("Hết hạn", "Ends"),
        ]
        empty = say("Điểm kết nối này không dùng bí mật.", "It uses no secret.")
        return table(say("Bí mật", "Secrets"), columns, rows, empty=empty)

    def _form(self) -> None:
        view, say = self._view, self._view.say
        folded = ui.expansion(say("Thay bí mật", "Replace the secret"))
        with folded, ui.element("div").classes("stack"):
            told = say(
                "Trục tạo bí mật mới, hiện một lần; hoặc dán bí mật do đối tác cấp. Giao cho đối "
                "tác rồi mới áp dụng. Nếu giao thức cho phép, bí mật cũ vẫn ký thêm cho đến khi "
                "bỏ. Trục chạy trên nhiều máy thì chép tệp trong secrets_dir sang các máy kia "
                "trước khi áp dụng.",
                "The bus makes a new one and shows it once; or paste the one a partner issued. "
                "Hand it over before you put it in force. Where the protocol allows, the old one "
                "signs as well until it is removed. Does the bus run on several machines, copy "
                "the file in secrets_dir to the others first.",
            )
            view.html(tag("p", told, class_="help"))
            with ui.element("div").classes("line"):
                field = ui.select(self._fields, value=self._fields[0], label=say("Trường", "Field"))
                days = ui.number(
                    say("Hạn dùng (ngày)", "Good for (days)"), value=DAYS, min=1, max=3650
                )
                given = ui.input(
                    say("Bí mật của đối tác; trống: tự tạo", "A partner's; empty: made here"),
                    password=True,
                )
                given.props("autocomplete=off").classes("wide")
                for each in (field, days, given):
                    each.props("outlined dense")
            shown = ui.element("div").props('aria-live="polite"')

            async def make() -> None:
                name = self._next_name()

                async def work(now: Visitor) -> str:
                    value = await secret_files.make(
                        view.ledger,
                        view.console.secrets_dir,
                        name,
                        given=(given.value or "").strip(),
                        ends_at=after(view, days.value),
                        actor=now.actor,
                    )
                    shown.clear()
                    with shown:
                        if given.value:
                            view.html(tag("p", mark("✓", "good", say("Đã cất.", "Kept."))))
                        else:
                            view.html(shown_once(view, name, value))
                    given.value = ""
                    return say(f"Đã tạo bí mật {name}.", f"Secret {name} is made.")

                if await view.act(Act.MANAGE_KEYS, work):
                    await review.show(self._change(str(field.value), name))

            with ui.element("div").classes("line"):
                view.button("Tạo bí mật mới", "Make a new secret", make, icon="vpn_key")
            review = Review(view)

    def _next_name(self) -> str:
        at = to_datetime(self._view.ledger.clock()).astimezone(UTC)
        return f"{self._endpoint.name}-{at:%Y%m%d-%H%M%S}"

    def _change(self, field: str, name: str) -> Callable[[Province], Province]:
        old, config = self._endpoint, dict(self._endpoint.config)
        adapter = registry.adapters()[old.kind]
        if f"{PREVIOUS}{field}" in adapter.manifest.secrets:
            config[f"{PREVIOUS}{field}"] = config[field]
        config[field] = name
        new = old.model_copy(update={"config": config})
        return in_place_of(Province(endpoints=(old,)), Province(endpoints=(new,)))


def _there(view: View, name: str) -> Html:
    try:
        view.console.secret(name)
    except ConfigurationError:
        return mark("✗", "bad", view.say("thiếu", "missing"))
    return mark("✓", "good", view.say("có", "yes"))


def shown_once(view: View, name: str, value: str) -> Html:
    """On this page alone, and gone with it."""
    say = view.say
    told = say(
        "Chép bí mật này ngay và giao cho đối tác qua kênh an toàn: chỉ hiện lần này.",
        "Copy it now and hand it over by a safe way: it is shown this once.",
    )
    rows = ((say("Tên", "Name"), code(name)), (say("Bí mật", "Secret"), code(value)))
    return tag("div", tag("p", mark("!", "warn", told)), facts(rows), class_="panel new-key")
