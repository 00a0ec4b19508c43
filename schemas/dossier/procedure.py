"""What is known of a procedure beyond its code."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

from schemas.dossier.calendar import Limit


class Procedure(BaseModel):
    """Thủ tục hành chính, by the code that one-stop systems write."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: Annotated[str, StringConstraints(pattern=r"^\S+$", max_length=100)]
    title: str = ""
    limit: Limit | None = None  # thời gian giải quyết; counts where a dossier has no due date
    yields_paper: bool = False  # its result is a paper, which counts as electronic only with a file

    @property
    def name(self) -> str:
        """What identifies it among declared items."""
        return self.code
