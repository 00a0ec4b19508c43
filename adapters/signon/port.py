"""The port: how a call proves to a partner who is calling."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(slots=True)
class PartnerCall:
    """One attempt of one call, which a sign-on may change before it leaves."""

    url: str
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    soap: bool  # the body is an envelope, or a multipart message around one
    officer: str  # cán bộ tra cứu: on whose behalf; empty where the caller names none


class SignOn(Protocol):
    """Made once for each declared service, used by many calls at once."""

    async def sign(self, call: PartnerCall) -> None:
        """Puts what proves the call into its headers, address or body. Once for each attempt.

        Raises PartnerError (the partner gave no token), ConfigurationError.
        """
        ...

    async def refused(self, call: PartnerCall) -> bool:
        """The partner answered 401 or 403 to `call` as `sign` left it.

        True: what was refused is forgotten, one more attempt with a new one may help.
        """
        ...

    async def proven(self, body: bytes) -> None:
        """The answer's body shows that it is the partner's, where this is declared.

        Asked of every answer that will be used, not of those that only say that the call failed.
        Raises PartnerUnproven.
        """
        ...

    def ssl(self) -> ssl.SSLContext | None:
        """Whom to trust and which certificate to show; None: as the system has it."""
        ...
