"""Một hồ sơ: where is it, its timeline, and what each portal has of it. People stay masked."""

from __future__ import annotations

from collections.abc import Sequence

from bus.console.frame import Page, View
from bus.console.html import Html, code, facts, link, table, tag
from bus.console.marks import kind_word, state_mark
from bus.console.masks import MASK
from bus.console.pages.dossiers import ONE, PATH
from bus.console.why import why
from bus.ledger.dossier_queries import DossierDelivery, DossierRow, StepRow
from bus.ops.dossier_standing import whereabouts
from bus.ops.reasons import reason_of
from schemas.dossier.life import TITLES, DossierStatus
from schemas.dossier.model import DossierRecord, Step
from schemas.errors import NotFound, Text
from schemas.instant import Instant, from_datetime


async def build(view: View) -> None:
    row = await _row(view)
    dossiers = view.ledger.dossiers
    steps = await dossiers.steps(row.sender, row.code)
    deliveries = await dossiers.deliveries(row.sender, row.code)
    view.html(tag("h2", code(row.code)))
    name = view.agency(row.sender)
    said = whereabouts(row, name, steps, deliveries, view.ledger.clock())
    sentences = (tag("p", view.say.text(text), class_="where") for text in said)
    view.html(tag("section", *sentences, class_="panel"))
    view.html(facts(_facts(view, row, await _procedure(view, row))))
    view.heading("Diễn biến", "Timeline")
    view.html(_timeline(view, row, steps))
    view.heading("Đồng bộ lên các cổng", "What portals have")
    view.html(_deliveries(view, deliveries))
    view.html(tag("p", link(view.say("← Hồ sơ", "← Dossiers"), PATH)))


async def _row(view: View) -> DossierRow:
    """Raises NotFound: also of a dossier that is not the person's to see."""
    wanted, agency = view.given("code").upper(), view.given("agency").upper()
    found = await view.ledger.dossiers.find(wanted, view.visitor.agencies)
    row = next((each for each in found if agency in ("", each.sender)), None)
    if row is None:
        raise NotFound(f"no dossier {wanted}", vi=f"Không có hồ sơ {wanted}")
    return row


async def _procedure(view: View, row: DossierRow) -> str:
    """Its name as the record has it, which is not about a person."""
    current = await view.ledger.dossiers.current(row.sender, row.code)
    if current is None:
        return row.procedure
    record = DossierRecord.model_validate_json(current.record)
    return f"{record.procedure_name} ({row.procedure})"


def _facts(view: View, row: DossierRow, procedure: str) -> list[tuple[str, str | Html]]:
    say = view.say
    return [
        (say("Thủ tục", "Procedure"), procedure),
        (say("Cơ quan xử lý", "Handled by"), view.agency(row.sender)),
        (say("Trạng thái", "Status"), say.text(TITLES[DossierStatus(row.status)])),
        (say("Người nộp", "Applicant"), MASK),
        (say("Tiếp nhận", "Received"), say.moment(row.received_at)),
        (say("Hẹn trả", "Due"), say.moment(row.due_at)),
        (say("Xong", "Finished"), say.moment(row.finished_at)),
        (say("Trả kết quả", "Returned"), say.moment(row.returned_at)),
        (say("Mã quốc gia", "National code"), row.nation_code),
    ]


def _timeline(view: View, row: DossierRow, steps: Sequence[StepRow]) -> Html:
    """What the counter said, in order; who did it and in what words stays masked."""
    say = view.say
    entries: list[tuple[Instant | None, Html]] = []
    if row.received_at is not None:
        entries.append((row.received_at, tag("span", say("Tiếp nhận hồ sơ", "Dossier received"))))
    for each in steps:
        step = Step.model_validate_json(each.record)
        title = say.text(TITLES[step.status])
        at_desk = f" · {step.department}" if step.department else Html("")
        came = link(say.moment(each.accepted_at), f"/message/{each.message_id}")
        told = tag("small", say(" trục nhận ", " the bus got it "), came)
        entries.append((from_datetime(step.at), tag("span", tag("strong", title), at_desk, told)))
    if not entries:
        return tag("p", say("Chưa có bước nào.", "No steps yet."), class_="empty")
    items = (tag("li", tag("time", say.moment(at)), text) for at, text in entries)
    return tag("ol", *items, class_="timeline")


def _deliveries(view: View, rows: Sequence[DossierDelivery]) -> Html:
    say = view.say
    columns = [
        say("Cổng", "Portal"),
        say("Loại", "Kind"),
        say("Trạng thái", "State"),
        say("Vì sao, ai xử lý", "Why, and who acts"),
        say("Gửi từ", "Since"),
        say("Xong lúc", "Finished"),
        say("Thông điệp", "Message"),
    ]
    cells = [
        (
            each.delivery.endpoint,
            kind_word(say, each.kind),
            state_mark(say, each.delivery.state),
            why(view.say, reason_of(each.delivery.code, each.delivery.detail)),
            say.moment(each.delivery.created_at),
            say.moment(each.delivery.finished_at),
            link(code(each.delivery.message_id), f"/message/{each.delivery.message_id}"),
        )
        for each in sorted(rows, key=lambda each: (each.delivery.endpoint, each.delivery.id))
    ]
    empty = say("Không cổng nào đăng ký nhận.", "No portal subscribes.")
    return table(say("Chuyển phát", "Deliveries"), columns, cells, empty=empty)


PAGE = Page(ONE, Text("Một hồ sơ", "One dossier"), build)
