"""Sessions and tokens of partners that the processes of a bus share: what adapters see of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol


class HeldSession(NamedTuple):
    """What one process got from the partner, for all."""

    session: str
    serial: int  # 1 is the first; each renewal has the next
    renew_in: float  # seconds until it should be renewed; not above 0: now
    ends_in: float  # seconds until it is no good any more


class SharedSession(Protocol):
    """The place of one account's session. Every method raises LedgerUnavailable."""

    async def find(self) -> HeldSession | None:
        """What is there; it may have ended."""
        ...

    async def take(self, serial: int, seconds: float) -> str:
        """The right to renew what has this serial (0: there is none), for so long.

        Returns a name for it; empty when another one has it, or has renewed meanwhile.
        """
        ...

    async def keep(self, right: str, session: str, *, renew_in: float, ends_in: float) -> bool:
        """Puts there what was got, for all; False, and nothing is done, when the right is over."""
        ...

    async def give_up(self, right: str) -> None:
        """Nothing was got: another one may try."""
        ...


Sessions = Callable[..., SharedSession | None]
"""The place of the account that these texts tell, secret included; None: nothing is shared."""


def unshared(*account: str) -> None:
    """Every process gets its own."""
