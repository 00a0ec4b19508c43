"""Asked before every act: is the session still good, and may this person do that?

What the page shows is a convenience; this is the rule. It reads the ledger each time, so that a
person who was logged out, disabled or given another role a moment ago does nothing more.
"""

from __future__ import annotations

from dataclasses import replace

from bus.console.desk import Desk
from bus.console.rights import Act, may
from bus.console.visitor import Visitor, visitor_of
from bus.engine.live import LiveConfig
from bus.ledger.accounts import Stage
from schemas.errors import Forbidden, Unauthenticated


class Authority:
    def __init__(self, desk: Desk, live: LiveConfig) -> None:
        self._desk = desk
        self._live = live

    async def again(self, visitor: Visitor) -> Visitor:
        """The visitor as the ledger has it now. Raises Unauthenticated."""
        found = await self._desk.still(visitor.session.hash)
        if found is None or found[0].stage is not Stage.FULL:
            raise Unauthenticated(
                "your session has ended; log in again", vi="phiên đã kết thúc; hãy đăng nhập lại"
            )
        fresh = visitor_of(*found, self._live.snapshot, words=visitor.words, dark=visitor.dark)
        return replace(fresh, session=found[0])

    async def require(self, visitor: Visitor, act: Act, *agencies: str) -> Visitor:
        """The same, once it may do so, to something of one of these agencies where any are named.

        A refusal is journalled. Raises Forbidden, Unauthenticated, LedgerUnavailable.
        """
        now = await self.again(visitor)
        if may(now.role, act) and (not agencies or now.sees(*agencies)):
            return now
        await self._desk.ledger.note(
            "console-act-refused",
            actor=now.actor,
            data={"act": act.value, "role": now.role.value},
        )
        raise Forbidden(
            f"role {now.role.value} may not do this ({act.value})",
            vi=f"vai trò {now.role.value} không được làm việc này ({act.value})",
        )
