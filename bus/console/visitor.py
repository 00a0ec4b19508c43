"""Who looks at a page: account, role, own agencies, language."""

from __future__ import annotations

from dataclasses import dataclass

from bus.console.rights import Act as Right
from bus.console.rights import Role, may
from bus.console.words import Words
from bus.engine.live import Snapshot
from bus.ledger.accounts import Account, Session, Stage
from schemas import instant
from schemas.vietnam import day_of


@dataclass(frozen=True, slots=True)
class Visitor:
    """As the ledger had it when the page was opened, or at the latest look of the watch."""

    account: Account
    session: Session
    role: Role
    reach: frozenset[str] | None  # own codes of the agencies whose traffic is seen; None: all
    words: Words
    dark: bool

    @property
    def actor(self) -> str:
        """How the journal names the person."""
        return f"console:{self.account.name}"

    @property
    def agencies(self) -> frozenset[str] | None:
        """What every query is limited to."""
        return self.reach

    def may(self, right: Right) -> bool:
        """To show what is possible. Acts themselves ask `Authority`."""
        return self.session.stage is Stage.FULL and may(self.role, right)

    def sees(self, *codes: str) -> bool:
        """Whether something between these agencies is the person's to see."""
        return self.reach is None or not self.reach.isdisjoint(codes)


def visitor_of(
    session: Session, account: Account, snapshot: Snapshot, *, words: Words, dark: bool
) -> Visitor:
    role = Role(account.role)
    reach = _reach(account, snapshot) if role is Role.AGENCY else None
    return Visitor(account, session, role, reach, words, dark)


def _reach(account: Account, snapshot: Snapshot) -> frozenset[str]:
    """A code that is an alias today stands for its agency; one out of force stands for itself."""
    on = day_of(instant.now())
    found = (snapshot.directory.resolve(code, on).agency for code in account.agencies)
    return frozenset(
        agency.code if agency is not None else code
        for agency, code in zip(found, account.agencies, strict=True)
    )
