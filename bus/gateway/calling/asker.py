"""Who asks, on whose behalf, why, and what may be seen of the answer."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.service import ALL


@dataclass(frozen=True, slots=True)
class Asker:
    """One caller of one operation, admitted."""

    client: str  # as the journal names it: client:… or cli:…
    agency: str  # on whose behalf; empty for an operator
    trace: str
    officer: str = ""  # cán bộ tra cứu
    purpose: str = ""
    fields: tuple[str, ...] = (ALL,)  # of replies, that may be seen
    timeout: float | None = None  # seconds the caller still waits; none: as the service has it
