"""Thông điệp: where it is, who holds it, what now; then its whole life."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from nicegui import ui

from bus.console.frame import Page, View
from bus.console.html import Cell, Html, code, facts, join, link, table, tag
from bus.console.marks import EVENTS, exchange_mark, kind_word, mark, state_mark
from bus.console.masks import MASK, pretty
from bus.console.rights import Act
from bus.console.visitor import Visitor
from bus.console.why import as_written, beneath
from bus.engine.national import translate
from bus.ledger.exchange_queries import EventRow, ExchangeRow
from bus.ledger.records import DeliveryRow, EndpointState, JournalRow, MessageRow
from bus.ops import whereabouts
from bus.ops.journal_words import tell
from routing.decision import Decision, explain_lines
from routing.mapping import Unmapped
from schemas.errors import InvalidRequest, NotFound, Text
from schemas.message import DocumentBody, Message
from schemas.vietnam import day_of

FRESH_SECONDS = 1.0  # a change of state is on screen within two
JOURNAL = 2_000  # entries that are shown
SHOWN_BYTES = 64 * 1024  # of an original
LEAST_REASON = 5  # characters


@dataclass(frozen=True, slots=True)
class Life:
    """What changes while one looks."""

    deliveries: list[DeliveryRow]
    entries: list[JournalRow]
    states: dict[str, EndpointState]
    exchanges: list[ExchangeRow]
    events: list[EventRow]


async def build(view: View) -> None:
    message = await _message(view)
    where = ui.element("section").props('aria-live="polite"').classes("panel")
    view.html(facts(_facts(view, message)))
    view.heading("Chuyển phát", "Deliveries")
    deliveries = ui.element("div")
    view.heading("Diễn biến", "What happened")
    timeline = ui.element("div")
    seen: tuple[object, ...] = ()

    async def read() -> None:
        nonlocal seen
        life = await _life(view, message)
        now = (len(life.entries), len(life.events), [d.state for d in life.deliveries], life.states)
        if now == seen:
            return
        seen = now
        _fill(view, where, _where(view, life))
        _fill(view, deliveries, _deliveries(view, life))
        _fill(view, timeline, _timeline(view, life))

    await read()
    view.heading("Định tuyến: vì sao tới đó", "Routing: why it went there")
    decision = await view.ledger.queries.decision(message.id) or ""
    lines = explain_lines(Decision.from_json(decision), view.say.lang)
    view.html(tag("pre", "\n".join(lines)))
    await _contents(view, message)
    view.fresh(read, FRESH_SECONDS)


def _fill(view: View, place: ui.element, content: Html) -> None:
    place.clear()
    with place:
        view.html(content)


async def _message(view: View) -> MessageRow:
    """Raises NotFound, for what is not the person's, too."""
    asked = str(view.request.path_params["message_id"])
    found = await view.ledger.search.message(asked, agencies=view.visitor.agencies)
    if found is None:
        raise NotFound("no such message", vi="Không có thông điệp này")
    return found


async def _life(view: View, message: MessageRow) -> Life:
    """An agency that did not send it sees what goes to itself."""
    ledger, agencies = view.ledger, view.visitor.agencies
    deliveries = await ledger.queries.deliveries(
        message_id=message.id, agencies=agencies, limit=500
    )
    shown = {row.id for row in deliveries}
    all_ = agencies is None or message.sender in agencies
    entries = await ledger.queries.journal(message_id=message.id, limit=JOURNAL)
    exchanges = await ledger.exchanges.of_message(message.id)
    events = await ledger.exchanges.events(message.id)
    return Life(
        deliveries[::-1],
        sorted(
            (e for e in entries if all_ or e.delivery_id is None or e.delivery_id in shown),
            key=lambda entry: entry.at,
        ),
        await ledger.queries.endpoint_states(),
        [each for each in exchanges if all_ or view.visitor.sees(each.receiver)],
        [each for each in events if all_ or view.visitor.sees(each.receiver)],
    )


# --- what it is ----------------------------------------------------------------------------------


def _where(view: View, life: Life) -> Html:
    """In both languages: what is read out on the telephone is understood on both ends."""
    said, quoted = whereabouts.of_message(life.deliveries, life.states)
    first, second = (said.vi, said.en) if view.say.lang == "vi" else (said.en, said.vi)
    other = "en" if view.say.lang == "vi" else "vi"
    return tag(
        "div",
        tag("p", tag("strong", first), class_="where"),
        tag("p", second, lang=other, class_="note"),
        as_written(view.say, quoted),
    )


def _facts(view: View, message: MessageRow) -> list[tuple[str, Cell]]:
    say = view.say
    return [
        (say("Mã thông điệp", "Message id"), code(message.id)),
        (say("Loại", "Kind"), kind_word(say, message.kind)),
        (
            say("Số/ký hiệu, mã", "Number, id"),
            join(message.document_code, code(message.document_id)),
        ),
        (say("Cơ quan gửi", "Sender"), view.agency(message.sender)),
        (say("Mã của bên gửi", "Sender's id"), code(message.sender_ref)),
        (say("Nơi nhận", "Receivers"), ", ".join(map(view.agency, message.receivers))),
        (say("Tiếp nhận lúc", "Accepted"), say.moment(message.accepted_at)),
        (say("Hết hạn", "Expires"), say.moment(message.expires_at)),
        (
            say("Nội dung", "Content"),
            f"{say.size(message.size)}, {message.media_type}",
        ),
        ("SHA-256", code(message.sha256)),
        (say("Mã theo dõi", "Trace"), code(message.trace)),
    ]


def _deliveries(view: View, life: Life) -> Html:
    say = view.say
    columns = [
        say("Mã", "Id"),
        say("Trạng thái", "State"),
        say("Điểm kết nối", "Endpoint"),
        say("Nơi nhận", "Receivers"),
        say("Số lần gửi", "Attempts"),
        say("Ở đâu, ai giữ, tiếp theo", "Where, who, what now"),
    ]
    rows = [
        (
            row.id,
            state_mark(say, row.state),
            _endpoint(view, row.endpoint),
            ", ".join(row.receivers),
            row.attempts,
            _now(view, row, life),
        )
        for row in life.deliveries
    ]
    empty = say("Không có chuyển phát nào.", "There are no deliveries.")
    made = table(say("Chuyển phát", "Deliveries"), columns, rows, empty=empty)
    return tag("div", made, _exchanges(view, life.exchanges), class_="stack")


def _now(view: View, row: DeliveryRow, life: Life) -> Html:
    said, quoted = whereabouts.of_delivery(row, life.states.get(row.endpoint))
    return beneath(view.say, view.say.text(said), quoted)


def _endpoint(view: View, name: str) -> Cell:
    """How the bus runs is not the care of an agency."""
    if view.visitor.agencies is not None:
        return name
    return link(name, f"/endpoints?{urlencode({'name': name})}")


def _exchanges(view: View, exchanges: Sequence[ExchangeRow]) -> Html:
    if not exchanges:
        return Html("")
    say = view.say
    columns = [
        say("Cơ quan nhận", "Receiver"),
        say("Xử lý văn bản", "Processing"),
        say("Hạn", "Due"),
        say("Thay đổi lúc", "Changed"),
    ]
    rows = [
        (
            view.agency(each.receiver),
            exchange_mark(say, each.state),
            say.moment(each.due_at),
            say.moment(each.changed_at),
        )
        for each in exchanges
    ]
    return table(say("Văn bản tại nơi nhận", "The document there"), columns, rows, empty="")


def _timeline(view: View, life: Life) -> Html:
    lines: list[tuple[int, Html]] = [(e.at, _entry(view, e)) for e in life.entries]
    lines += [(e.at, _event(view, e)) for e in life.events]
    items = [
        tag("li", tag("time", view.say.moment(at)), line)
        for at, line in sorted(lines, key=lambda each: each[0])
    ]
    return tag("ol", *items, class_="timeline")


def _entry(view: View, entry: JournalRow) -> Html:
    sign, tone, text, quoted = tell(entry)
    answer = MASK if entry.data.get("answer") else ""
    said = f"{view.say('đối tác trả lời', 'the partner answered')}: {answer}" if answer else ""
    return tag(
        "div",
        mark(sign, tone, view.say.text(text), title=entry.event),
        as_written(view.say, quoted),
        tag("p", f"{entry.actor}", class_="note"),
        tag("p", said, class_="note") if said else Html(""),
    )


def _event(view: View, event: EventRow) -> Html:
    text = EVENTS.get(event.event)
    what = event.event if text is None else view.say.text(text)
    late = "" if event.changed else view.say(" (đến muộn hoặc lặp lại)", " (late, or again)")
    told = link(code(event.told_by), f"/message/{event.told_by}") if event.told_by else Html("")
    name = view.agency(event.receiver)
    return tag("div", mark("•", "busy", f"{name}: {what}{late}"), tag("p", told, class_="note"))


# --- what it says --------------------------------------------------------------------------------


async def _contents(view: View, message: MessageRow) -> None:
    view.heading("Nội dung", "Content")
    text = view.say(
        "Dữ liệu cá nhân được che. Mở ra thì phải nêu lý do; lý do và tên bạn được ghi nhật ký.",
        "Personal data are masked. Uncovering them needs a reason, which is journalled with you.",
    )
    view.html(tag("p", text, class_="note"))
    shown = ui.element("div").classes("stack")

    async def show(*, open_: bool) -> None:
        content = await _forms(view, message, open_=open_)
        shown.clear()
        with shown:
            view.html(content)

    await show(open_=False)
    if view.visitor.may(Act.REVEAL):
        with ui.element("div").classes("row-of"):
            reason = ui.input(view.say("Lý do", "Reason")).props("outlined dense").classes("wide")

            async def reveal() -> None:
                if await view.act(Act.REVEAL, _noted(view, message, reason, "revealed")):
                    await show(open_=True)

            async def download() -> None:
                if await view.act(Act.DOWNLOAD, _noted(view, message, reason, "downloaded")):
                    ui.navigate.to(view.console.downloads.ticket(view.visitor, message.id))

            view.button("Mở dữ liệu bị che", "Uncover", reveal, icon="visibility")
            view.button("Tải bản gốc", "Download the original", download, icon="download")


def _noted(
    view: View, message: MessageRow, reason: ui.input, what: str
) -> Callable[[Visitor], Awaitable[str]]:
    events = {"revealed": "personal-data-revealed", "downloaded": "original-downloaded"}

    async def note(now: Visitor) -> str:
        given = (reason.value or "").strip()[:500]
        if len(given) < LEAST_REASON:
            raise InvalidRequest(
                "a reason is needed, so that whoever reads the journal understands it",
                vi="cần nêu lý do để người đọc nhật ký hiểu được",
                field="reason",
            )
        if await view.ledger.search.message(message.id, agencies=now.agencies) is None:
            raise NotFound("no such message", vi="Không có thông điệp này")
        await view.ledger.note(
            events[what], actor=now.actor, data={"reason": given}, message_id=message.id
        )
        return view.say("Đã ghi nhật ký.", "Written into the journal.")

    return note


async def _forms(view: View, message: MessageRow, *, open_: bool) -> Html:
    """Canonical, original and sent forms."""
    say = view.say
    canonical = await view.ledger.queries.canonical(message.id) or "{}"
    parts = [
        _form(say("Bản chuẩn hóa", "Canonical"), pretty(canonical, open_=open_)),
        await _original(view, message, open_=open_),
        *await _sent(view, message, open_=open_),
    ]
    files = _files(view, Message.model_validate_json(canonical), open_=open_)
    return tag("div", files, *parts, class_="stack")


def _form(title: str, text: str) -> Html:
    return tag("details", tag("summary", title), tag("pre", text, tabindex="0"))


async def _original(view: View, message: MessageRow, *, open_: bool) -> Html:
    title = view.say("Bản gốc như đã nhận", "The original as it came")
    if not open_:
        return _form(title, MASK)
    if not message.media_type.endswith(("xml", "json")):
        return _form(title, view.say("không phải văn bản; hãy tải về", "no text: download it"))
    content = b""
    async with view.ledger.original(message.id) as pieces:
        async for piece in pieces:
            content += piece
            if len(content) >= SHOWN_BYTES:
                break
    cut = "…" if message.size > SHOWN_BYTES else ""
    return _form(title, content[:SHOWN_BYTES].decode(errors="replace") + cut)


async def _sent(view: View, message: MessageRow, *, open_: bool) -> list[Html]:
    """What each endpoint is handed; documents and statuses go as they came."""
    records = await view.ledger.dossiers.kinds_and_records({message.id})
    if message.id not in records:
        text = view.say("gửi nguyên bản gốc", "handed on as it came")
        return [_form(view.say("Bản gửi đi", "As sent"), text)]
    kind, record = records[message.id]
    forms = []
    on = day_of(view.ledger.clock())
    for maps, vi, en in (
        (False, "Bản gửi đi, mã nội bộ", "As sent, with local codes"),
        (True, "Bản gửi đi, mã quốc gia", "As sent, with national codes"),
    ):
        made = translate(kind, record, view.snapshot.mappings, on, maps=maps)
        said = view.say.text(made.reason) if isinstance(made, Unmapped) else None
        forms.append(_form(view.say(vi, en), said or pretty(str(made), open_=open_)))
    return forms


def _files(view: View, message: Message, *, open_: bool) -> Html:
    body = message.body
    if not isinstance(body, DocumentBody) or not body.attachments:
        return Html("")
    say = view.say
    columns = [say("Tệp", "File"), say("Loại", "Type"), say("Dung lượng", "Size"), "SHA-256"]
    rows = [
        (each.name if open_ else MASK, each.media_type, say.size(each.size), code(each.sha256))
        for each in body.attachments
    ]
    return table(say("Tệp kèm theo", "Attachments"), columns, rows, empty="")


PAGE = Page("/message/{message_id}", Text("Thông điệp", "Message"), build)
