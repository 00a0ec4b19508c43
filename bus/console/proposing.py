"""What a change of the configuration would do, shown as `lgsp plan` does; then done, with a reason.

Every page that changes what is declared goes this way, and so does the command line.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import orjson
from nicegui import ui

from adapters import registry
from bus.console.frame import View
from bus.console.html import Html, join, link, tag
from bus.console.marks import mark
from bus.console.rights import Act
from bus.console.visitor import Visitor
from bus.ledger.config_store import Change
from bus.ops.province_change import Proposal, propose, put_in_force
from bus.ops.wording import DECLARED
from schemas.errors import LgspError, Text
from schemas.province import Endpoint, Province

SHOWN = 200  # changes of one plan
_SIGNS = {
    "added": ("+", "good", Text("thêm", "added")),
    "changed": ("~", "warn", Text("sửa", "changed")),
    "removed": ("−", "bad", Text("bỏ", "removed")),
}
_VALUE = 400  # characters of a value


class Review:
    """One change under review: its plan, a reason, and the button that puts it in force."""

    def __init__(self, view: View, done: Callable[[], Awaitable[None]] | None = None) -> None:
        """`done` is called once this process works with the change; None: opens the page anew."""
        self._view = view
        self._done = done
        self._place = ui.element("div").classes("review").props('aria-live="polite"')

    def clear(self) -> None:
        self._place.clear()

    async def show(self, change: Callable[[Province], Province]) -> None:
        """The plan, or what does not hold together."""
        view = self._view
        self._place.clear()
        try:
            proposal = await propose_in(view, change)
        except LgspError as error:
            with self._place:
                view.card(error)
            return
        with self._place:
            declared = proposal.plan.declared()
            view.html(plan_table(view, declared))
            if imported := len(proposal.plan.changes) - len(declared):
                told = view.say(
                    f"và {imported} cơ quan nhập từ danh bạ của đối tác",
                    f"and {imported} agencies imported from a partner's directory",
                )
                view.html(tag("p", told))
            if proposal.plan.changes:
                self._ask(proposal)

    def _ask(self, proposal: Proposal) -> None:
        view, say = self._view, self._view.say
        if not view.visitor.may(Act.CONFIGURE):
            told = say(
                "Chỉ quản trị trục áp dụng được.", "Only the administrator can put it in force."
            )
            view.html(tag("p", told))
            return
        reason = ui.input(say("Lý do (được lưu lại)", "Reason (kept)")).classes("reason")
        reason.props("outlined dense maxlength=300")

        async def apply() -> None:
            revision = 0

            async def work(visitor: Visitor) -> str:
                nonlocal revision
                revision = await put_in_force(
                    view.ledger, proposal, actor=visitor.actor, reason=reason.value or ""
                )
                await view.console.live.reach(revision)
                return say(
                    f"Đã áp dụng: phiên bản {revision}.", f"In force as revision {revision}."
                )

            if await view.act(Act.CONFIGURE, work):
                if self._done is None:
                    again = view.request.url.include_query_params(applied=revision)
                    ui.navigate.to(f"{again.path}?{again.query}")
                    return
                self._place.clear()
                with self._place:
                    await self._done()

        with ui.element("div").classes("line"):
            view.button("Áp dụng", "Put in force", apply, kind="main", icon="check")


def applied(view: View) -> None:
    """Says which revision has just been put in force, when the page was opened anew for that."""
    if (number := view.given("applied")).isdecimal():
        told = view.say(f"Đã áp dụng: phiên bản {number}.", f"In force as revision {number}.")
        history = link(view.say("Lịch sử", "History"), "/configurations")
        view.html(tag("p", mark("✓", "good", told), " ", history, role="status"))


async def propose_in(view: View, change: Callable[[Province], Province]) -> Proposal:
    """With what adapters say of endpoints' configurations, in the person's language."""

    def faults(endpoint: Endpoint) -> list[str]:
        try:
            registry.parse_config(endpoint.kind, endpoint.config)
        except LgspError as error:
            return [view.say.text(error.detail)]
        return []

    return await propose(
        view.ledger, change, check_endpoint=faults, operations=view.console.operations
    )


def plan_table(view: View, changes: Sequence[Change]) -> Html:
    say = view.say
    if not changes:
        return tag("p", say("Không có gì thay đổi.", "Nothing changes."), class_="empty")
    counts = dict.fromkeys(_SIGNS, 0)
    for change in changes:
        counts[change.action] += 1
    told = ", ".join(
        f"{say.text(text)} {counts[action]}" for action, (_, _, text) in _SIGNS.items()
    )
    items = [_change(view, change) for change in changes[:SHOWN]]
    if len(changes) > SHOWN:
        more = len(changes) - SHOWN
        items.append(tag("li", say(f"và {more} thay đổi khác", f"and {more} more changes")))
    return tag("div", tag("p", told), tag("ul", *items, class_="plan"), class_="panel")


def _change(view: View, change: Change) -> Html:
    sign, tone, text = _SIGNS[change.action]
    head = tag(
        "span",
        tag("span", sign, aria_hidden="true"),
        f" {view.say.text(text)} {view.say.text(DECLARED[change.kind])} {change.name}",
        class_=f"mark {tone}",
    )
    if change.new is not None and change.old is None:
        values = change.new.model_dump(mode="json", exclude_defaults=True)
        inside = [tag("li", join(tag("b", name), _short(value))) for name, value in values.items()]
    else:
        inside = [
            tag("li", join(tag("b", name), tag("del", _short(old)), "→", tag("ins", _short(new))))
            for name, (old, new) in change.fields().items()
        ]
    return tag("li", head, tag("ul", *inside))


def _short(value: object) -> str:
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return text if len(text) <= _VALUE else f"{text[:_VALUE]}…"
