"""Keys of one system: issued and shown once, rotated so that two overlap, revoked."""

from __future__ import annotations

from nicegui import ui

from bus.console.ends import end_mark
from bus.console.frame import View
from bus.console.html import Cell, code, facts, table, tag
from bus.console.marks import mark
from bus.console.rights import Act
from bus.console.visitor import Visitor
from bus.ledger.identities import KeyRow
from bus.ops import keys
from schemas.errors import InvalidRequest, Text
from schemas.instant import SECOND, Instant
from schemas.province import Client

DAY = 86_400
OVERLAPS: dict[int, Text] = {
    0: Text("hết hiệu lực ngay", "ends now"),
    3_600: Text("còn dùng 1 giờ", "good for 1 hour"),
    DAY: Text("còn dùng 24 giờ", "good for 24 hours"),
    7 * DAY: Text("còn dùng 7 ngày", "good for 7 days"),
    30 * DAY: Text("còn dùng 30 ngày", "good for 30 days"),
}


class Keyring:
    """Built where it is made; `show` draws it anew."""

    def __init__(self, view: View, client: Client) -> None:
        self._view = view
        self._client = client
        self._new = ui.element("div").props('aria-live="polite"')
        self._place = ui.element("div").classes("keyring")

    async def show(self) -> None:
        found = await self._view.ledger.identities.keys(self._client.id)
        self._place.clear()
        with self._place:
            self._listed(found)
            if self._view.visitor.may(Act.MANAGE_KEYS):
                self._add_form()
                if any(keys.good(key, self._view.ledger.clock()) for key in found):
                    self._end_form(found)

    def shown_once(self, key: str, hint: str) -> None:
        """The new key: on this page alone, and gone with it."""
        view, say = self._view, self._view.say
        told = say(
            "Chép khóa này ngay và giao cho đơn vị qua kênh an toàn: khóa chỉ hiện lần này, trục "
            "chỉ giữ mã băm.",
            "Copy this key now and hand it over by a safe way: it is shown this once, the bus "
            "keeps only its hash.",
        )
        self._new.clear()
        with self._new:
            rows = (
                ("client_id", code(self._client.id)),
                (say("Khóa (client_secret)", "Key (client_secret)"), code(key)),
                (say("Dấu hiệu", "Hint"), hint),
                (
                    say("Lấy token", "Tokens"),
                    code("POST /api/v1/token  grant_type=client_credentials"),
                ),
            )
            view.html(
                tag("div", tag("p", mark("!", "warn", told)), facts(rows), class_="panel new-key")
            )

    def _listed(self, found: list[KeyRow]) -> None:
        say, now = self._view.say, self._view.ledger.clock()
        rows = [
            (
                code(key.hint),
                say.moment(key.created_at),
                self._ends(key),
                mark("✓", "good", say("còn hiệu lực", "in force"))
                if keys.good(key, now)
                else mark("–", "off", say("đã hết", "ended")),
            )
            for key in found
        ]
        columns = [say(*c) for c in _COLUMNS]
        caption = say(f"Khóa của {self._client.id}", f"Keys of {self._client.id}")
        empty = say("Chưa có khóa: hệ thống này chưa gọi được trục.", "No keys: it cannot call.")
        self._view.html(table(caption, columns, rows, empty=empty))

    def _ends(self, key: KeyRow) -> Cell:
        """A key that was ended on purpose is no trouble."""
        say = self._view.say
        if key.expires_at is None:
            return say("không hạn", "never")
        if keys.good(key, self._view.ledger.clock()):
            return end_mark(self._view, key.expires_at)
        return say.moment(key.expires_at)

    def _add_form(self) -> None:
        view, say = self._view, self._view.say
        with ui.element("div").classes("line"):
            days = ui.number(say("Hạn dùng (ngày)", "Good for (days)"), value=365, min=1, max=3650)
            days.props("outlined dense")

            async def add() -> None:
                async def work(visitor: Visitor) -> str:
                    key, hint = await keys.issue(
                        view.ledger,
                        self._client.id,
                        expires_at=after(view, days.value),
                        actor=visitor.actor,
                    )
                    self.shown_once(key, hint)
                    return say(f"Đã cấp khóa {hint}.", f"Key {hint} is issued.")

                if await view.act(Act.MANAGE_KEYS, work):
                    await self.show()

            view.button("Cấp khóa mới", "Issue a key", add, icon="vpn_key")

    def _end_form(self, found: list[KeyRow]) -> None:
        view, say, now = self._view, self._view.say, self._view.ledger.clock()
        hints = [key.hint for key in found if keys.good(key, now)]
        with ui.element("div").classes("line"):
            which = ui.select(hints, value=hints[0], label=say("Khóa cũ", "Old key"))
            spans = {seconds: say.text(text) for seconds, text in OVERLAPS.items()}
            until = ui.select(spans, value=DAY, label=say("Khóa cũ thì", "The old key"))
            for each in (which, until):
                each.props("outlined dense")

            async def rotate() -> None:
                async def work(visitor: Visitor) -> str:
                    old = next(key for key in found if key.hint == which.value)
                    lasts = None
                    if old.expires_at is not None:  # as long as the old one was meant to last
                        lasts = view.ledger.clock() + old.expires_at - old.created_at
                    key, hint = await keys.issue(
                        view.ledger, self._client.id, expires_at=lasts, actor=visitor.actor
                    )
                    self.shown_once(key, hint)
                    await self._retire(visitor, which.value, until.value)
                    return say(
                        f"Đã thay khóa {which.value} bằng {hint}.",
                        f"Key {hint} takes the place of {which.value}.",
                    )

                if await view.act(Act.MANAGE_KEYS, work):
                    await self.show()

            async def revoke() -> None:
                async def work(visitor: Visitor) -> str:
                    await self._retire(visitor, which.value, 0)
                    return say(f"Đã thu hồi khóa {which.value}.", f"Key {which.value} is revoked.")

                if await view.act(Act.MANAGE_KEYS, work):
                    await self.show()

            view.button("Thay khóa", "Rotate", rotate, icon="autorenew")
            view.button("Thu hồi ngay", "Revoke now", revoke, kind="danger", icon="block")

    async def _retire(self, visitor: Visitor, hint: str, seconds: int) -> None:
        at = self._view.ledger.clock() + seconds * SECOND
        await keys.retire(self._view.ledger, self._client.id, hint, at=at, actor=visitor.actor)


_COLUMNS = (
    ("Dấu hiệu", "Hint"),
    ("Cấp lúc", "Issued"),
    ("Hết hạn", "Ends"),
    ("Hiệu lực", "In force"),
)


def after(view: View, days: float | None) -> Instant | None:
    """So many days from now; None: never. Raises InvalidRequest."""
    if days is not None and days <= 0:
        raise InvalidRequest("a key lasts at least a day", vi="Khóa phải dùng được ít nhất 1 ngày")
    return None if days is None else view.ledger.clock() + int(days * DAY) * SECOND
