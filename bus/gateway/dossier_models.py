"""What the REST door answers about dossiers, as JSON (camelCase on the wire)."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Literal

from pydantic import Field

from bus.gateway.models import Problem, ReceiptAnswer, Wire
from schemas.delivery import DeliveryState
from schemas.dossier.figures import Figures


class DossierItem(Wire):
    """A dossier as last told."""

    code: str
    nation_code: str
    agency: str = Field(description="the agency that handles it")
    procedure: str
    channel: int | None = Field(description="1 counter, 2 online, 3 post")
    status: int = Field(description="1–10, as last told by the record or the latest step")
    status_vi: str = Field(description="trạng thái bằng lời")
    status_en: str
    received_at: str | None
    due_at: str | None
    finished_at: str | None
    returned_at: str | None
    changed_at: str


class DossierPage(Wire):
    items: list[DossierItem]
    next: str | None = Field(description="cursor of the next page, null at the end")


class StepItem(Wire):
    """One entry of the timeline."""

    step_id: str
    status: int
    at: str = Field(description="as the sender says")
    message_id: str
    accepted_at: str
    step: dict[str, Any] | None = Field(
        description="the whole step; null for those who are not its agency"
    )


class PortalItem(Wire):
    """How far the record and the steps have come on their way to one portal."""

    endpoint: str
    receivers: list[str]
    delivered: int
    refused: int = Field(description="rejected, expired or cancelled")
    open: int = Field(description="still on their way")
    state: DeliveryState = Field(description="of the first one still open, else of the last")
    reason: str = Field(description="why it stands there")
    delivered_at: str | None = Field(description="when the latest one was delivered")


class DossierAnswer(DossierItem):
    steps: list[StepItem]
    portals: list[PortalItem]
    record: dict[str, Any] | None = Field(
        description="the whole current record; null for those who are not its agency"
    )


class FileAnswer(Wire):
    """A paper kept for the portals; the same one always gets the same URL."""

    url: str = Field(description="for `url` of a paper in the record")
    sha256: str
    size: int = Field(description="bytes")
    expires_at: str


class BatchLine(Wire):
    """What became of one line of a batch: a receipt or a problem."""

    line: int = Field(description="counted from 1")
    code: str | None
    receipt: ReceiptAnswer | None = None
    problem: Problem | None = None


class DossierFigures(Wire):
    """Figures of one agency in a period; `agency` is empty for the sum of all."""

    agency: str
    name: str
    carried: int
    received: int
    received_online: int
    early: int
    on_time: int
    late: int
    open: int
    open_late: int
    withdrawn: int
    refused: int
    counted: int = Field(description="by the national portal's rules, as the following")
    in_time: int
    online: int
    paid_online: int
    digitised: int
    reused: int
    verified: int
    synced: int
    very_satisfied: int
    satisfied: int
    unsatisfied: int
    online_percent: int | None = Field(
        description="`online` of `counted`, rounded down; null: nothing is counted"
    )
    satisfied_percent: int | None = Field(
        description="content ones of the ratings given in the period; null: nobody rated"
    )


class DossierFiguresAnswer(Wire):
    since: str
    until: str
    agencies: list[DossierFigures]
    total: DossierFigures


def figures_of(row: Figures, name: str) -> DossierFigures:
    return DossierFigures(
        name=name,
        **asdict(row),
        online_percent=row.online_percent,
        satisfied_percent=row.satisfied_percent,
    )


class DossierTotals(DossierFiguresAnswer):
    """Of the days `since` to `until`, as far as they have gone."""

    counted_at: str


class DossierEvent(Wire):
    """Something new of a dossier; nothing personal is in it."""

    cursor: str = Field(description="its place in the line, to go on from")
    id: str = Field(description="the same for every repeat: the key by which to recognise one")
    kind: Literal["dossier", "step"]
    code: str
    agency: str = Field(description="the agency that handles it")
    accepted_at: str
    data: dict[str, Any] = Field(description="fields of DossierRecord or DossierStep")


class DossierEventPage(Wire):
    events: list[DossierEvent]
    next: str = Field(description="cursor to go on with, also when there was no event")
    more: bool = Field(description="ask again at once; false: that was all for now")
