"""A report (báo cáo) of a day, month, quarter or year, for the province or for some agencies.

Each figure comes from where the rest of the bus takes it: nothing is counted here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from bus.ledger.flow_queries import Outage
from bus.ledger.ledger import Ledger
from bus.ops import dossier_figures, reports, usage
from bus.ops.latency import SHARES
from bus.ops.reasons import title_of
from bus.ops.report_model import Coded, Column, Report, Row, Section, Unit, Value
from bus.ops.reports import Period
from bus.ops.wording import BRIEF, EXCHANGE, KINDS
from schemas.dossier.calendar import WorkingCalendar
from schemas.dossier.figures import Figures, total
from schemas.dossier.procedure import Procedure
from schemas.errors import InvalidRequest, Text
from schemas.exchange import ExchangeState
from schemas.instant import SECOND, Instant
from schemas.province import Agency


@dataclass(frozen=True, slots=True)
class Scope:
    """For whom a report is made, and by what rules."""

    agencies: frozenset[str] | None  # None: all
    names: Mapping[str, str]  # of agencies by code
    issuer: str
    calendar: WorkingCalendar
    procedures: Mapping[str, Procedure]


Progress = Callable[[int, int], None]
"""How many parts of how many are done."""

_NAMED = (
    Column("code", Text("Mã", "Code"), "text"),
    Column("agency", Text("Cơ quan", "Agency"), "text"),
)
_ENDPOINT = Column("endpoint", Text("Điểm kết nối", "Endpoint"), "text")
_FIRST = ("carried", "received", "received_online", "early", "on_time", "late", "open", "open_late")
_SETTLED = (*_FIRST, "withdrawn", "refused")


def scope_of(
    directory: Iterable[Agency],
    chosen: Collection[str] | None,
    calendar: WorkingCalendar,
    procedures: Mapping[str, Procedure],
) -> Scope:
    """`chosen`: codes of those it is about; None: all.

    The directory's only agency without a parent issues the report.
    """
    agencies = list(directory)
    roots = [each.name for each in agencies if each.parent is None]
    return Scope(
        None if chosen is None else frozenset(chosen),
        {each.code: each.name for each in agencies},
        roots[0] if len(roots) == 1 else "",
        calendar,
        procedures,
    )


async def make(
    ledger: Ledger, period: Period, scope: Scope, progress: Progress = lambda _done, _of: None
) -> Report:
    """Reads the period section by section. Raises LedgerUnavailable, InvalidRequest."""
    now = ledger.clock()
    if period.since > now:
        raise InvalidRequest(
            "the period has not begun yet", vi="Kỳ báo cáo chưa bắt đầu", field="period"
        )
    sections: list[Section] = []
    for done, part in enumerate(_PARTS):
        progress(done, len(_PARTS))
        sections += await part(ledger, period, scope, now)
    progress(len(_PARTS), len(_PARTS))
    about = ""
    if scope.agencies is not None:
        about = ", ".join(_name(scope, code) for code in sorted(scope.agencies))
    return Report(period, scope.issuer, about, now, tuple(sections))


def _name(scope: Scope, code: str) -> str:
    name = scope.names.get(code, "")
    return f"{name} ({code})" if name else code


async def _volumes(ledger: Ledger, period: Period, scope: Scope, now: Instant) -> list[Section]:
    del now
    counted: dict[str, Counter[str]] = {}
    for each in await ledger.flows.volumes(
        senders=scope.agencies, since=period.since, until=period.until
    ):
        counted.setdefault(each.agency, Counter())[each.kind] += each.count
    kinds = [kind for kind in KINDS if any(each[kind] for each in counted.values())]
    columns = (*_NAMED, *(Column(kind, KINDS[kind]) for kind in kinds), _ALL)
    rows: list[Row] = [
        (code, scope.names.get(code, ""), *(each[kind] for kind in kinds), each.total())
        for code, each in counted.items()
    ]
    title = Text("Thông điệp gửi qua trục, theo loại", "Messages sent through the bus, by kind")
    return [_section("volumes", title, columns, rows)]


_ALL = Column("all", Text("Tất cả", "All"))


async def _documents(ledger: Ledger, period: Period, scope: Scope, now: Instant) -> list[Section]:
    figures = await ledger.exchanges.figures(
        agencies=scope.agencies, since=period.since, until=period.until, now=now
    )
    names = reports.COLUMNS
    columns = (*_NAMED, *(Column(name, Text(*title)) for name, title in names.items()))
    rows = [
        (each.agency, scope.names.get(each.agency, ""), *(getattr(each, n) for n in names))
        for each in figures
    ]
    title = Text("Văn bản đến và nhiệm vụ", "Documents received, and tasks")
    return [_section("documents", title, columns, rows)]


async def _states(ledger: Ledger, period: Period, scope: Scope, now: Instant) -> list[Section]:
    del now
    counted: dict[str, Counter[ExchangeState]] = {}
    for agency, state, count in await ledger.exchanges.states(
        agencies=scope.agencies, since=period.since, until=period.until
    ):
        counted.setdefault(agency, Counter())[state] += count
    columns = (*_NAMED, *(Column(state.value, EXCHANGE[state]) for state in ExchangeState))
    rows: list[Row] = [
        (code, scope.names.get(code, ""), *(each[state] for state in ExchangeState))
        for code, each in counted.items()
    ]
    title = Text("Trạng thái văn bản đến", "Where the documents received stand")
    return [_section("states", title, columns, rows)]


async def _dossiers(ledger: Ledger, period: Period, scope: Scope, now: Instant) -> list[Section]:
    found = await dossier_figures.of_period(
        ledger.dossiers,
        first=period.first,
        last=period.last,
        senders=scope.agencies,
        calendar=scope.calendar,
        procedures=scope.procedures,
        now=now,
    )
    titles = {name: Text(*title) for name, title in dossier_figures.COLUMNS.items()}
    shares = (
        Column("on_time_share", Text("Tỷ lệ đúng hạn", "On time, %"), "percent"),
        Column("online_share", Text("Tỷ lệ trực tuyến", "Online, %"), "percent"),
    )
    settled = (*_NAMED, *(Column(name, titles[name]) for name in _SETTLED), *shares)
    others = [name for name in titles if name not in _SETTLED]
    quality = (*_NAMED, *(Column(name, titles[name], _unit(name)) for name in others))
    rows = [_settled(scope, each) for each in found]
    whole = total(found)
    sums = _settled(scope, whole)[2:]
    return [
        Section(
            "dossiers",
            Text("Giải quyết hồ sơ thủ tục hành chính", "Dossiers settled"),
            settled,
            tuple(rows),
            ("", "", *sums) if rows else None,
            Text(
                "Tỷ lệ đúng hạn tính trên hồ sơ giải quyết xong trong kỳ.",
                "Of the dossiers finished in the period.",
            ),
        ),
        Section(
            "dossier-quality",
            Text("Hồ sơ theo Cổng DVCQG, số hóa, hài lòng", "Dossiers: portal, digitised, rated"),
            quality,
            tuple(
                (each.agency, scope.names.get(each.agency, ""), *(getattr(each, n) for n in others))
                for each in found
            ),
            ("", "", *(getattr(whole, name) for name in others)) if found else None,
        ),
    ]


def _unit(figure: str) -> Unit:
    """A share of all is not the sum of the shares."""
    return "percent" if figure.endswith("_percent") else "count"


def _settled(scope: Scope, row: Figures) -> Row:
    counts = (getattr(row, name) for name in _SETTLED)
    shares = dossier_figures.on_time_share(row), dossier_figures.online_share(row)
    return (row.agency, scope.names.get(row.agency, ""), *counts, *shares)


async def _failures(ledger: Ledger, period: Period, scope: Scope, now: Instant) -> list[Section]:
    del now
    found = await ledger.flows.failures(
        agencies=scope.agencies, since=period.since, until=period.until
    )
    columns = (
        _ENDPOINT,
        Column("state", Text("Trạng thái", "State"), "text"),
        Column("reason", Text("Lý do", "Reason"), "text"),
        Column("count", Text("Chuyển phát", "Deliveries")),
    )
    title = Text("Chuyển phát không thành", "Deliveries that failed")
    rows: list[Row] = [
        (
            each.endpoint,
            Coded(each.state.value, BRIEF[each.state]),
            Coded(each.code, title_of(each.code)),
            each.count,
        )
        for each in found
    ]
    return [_section("failures", title, columns, rows)]


async def _responses(ledger: Ledger, period: Period, scope: Scope, now: Instant) -> list[Section]:
    since, until = period.since, min(period.until, now)
    found = await ledger.flows.responses(agencies=scope.agencies, since=since, until=until)
    away: dict[str, list[Outage]] = {}
    for outage in await ledger.flows.outages(since=since, until=until):
        away.setdefault(outage.endpoint, []).append(outage)
    rows: list[Row] = []
    for each in found:
        out = away.get(each.endpoint, [])
        lost = sum(min(o.ended or until, until) - o.began for o in out)
        rows.append(
            (
                each.endpoint,
                each.deliveries,
                each.delivered,
                each.rejected,
                each.lost,
                each.open,
                each.attempts,
                each.again,
                100 * each.in_a_minute / each.delivered if each.delivered else None,
                None if each.mean is None else each.mean / SECOND,
                None if each.longest is None else each.longest / SECOND,
                len(out),
                lost / SECOND,
            )
        )
    title = Text("Mức độ đáp ứng của hệ thống nhận", "How receiving systems answered")
    note = Text(
        "Thời gian tính từ lúc trục tiếp nhận tới lúc hệ thống nhận xác nhận. Gián đoạn: trục tạm "
        "ngừng gửi vì hệ thống nhận không trả lời.",
        "Times run from acceptance by the bus to the receipt. Outage: the bus left the system in "
        "peace since it did not answer.",
    )
    return [_section("responses", title, _RESPONSE, rows, note)]


_RESPONSE = (
    _ENDPOINT,
    Column("deliveries", Text("Chuyển phát", "Deliveries")),
    Column("delivered", Text("Đã nhận", "Delivered")),
    Column("rejected", Text("Từ chối", "Rejected")),
    Column("lost", Text("Hỏng, hết hạn", "Dead, expired")),
    Column("open", Text("Đang chờ", "Open")),
    Column("attempts", Text("Lần gửi", "Attempts")),
    Column("again", Text("Phải gửi lại", "Tried again")),
    Column("in_a_minute", Text("Trong 1 phút", "Within 1 min"), "percent"),
    Column("mean", Text("Trung bình", "Mean"), "seconds"),
    Column("longest", Text("Lâu nhất", "Longest"), "seconds"),
    Column("outages", Text("Lần gián đoạn", "Outages")),
    Column("away", Text("Tổng gián đoạn", "Time away"), "seconds"),
)


async def _services(ledger: Ledger, period: Period, scope: Scope, now: Instant) -> list[Section]:
    del now
    rows = await ledger.usage.of_period(
        since=period.since, until=period.until, agencies=scope.agencies
    )
    calls = usage.grouped(rows, lambda row: (row.service, row.agency))
    title = Text("Gọi dịch vụ dùng chung, theo cơ quan", "Calls of services, by agency")
    note = Text(
        "Lỗi: không có câu trả lời, vì đối tác, vì bên gọi hoặc vì trục. Vượt hạn mức: trục từ "
        "chối vì bên gọi hỏi quá dày. p95: 95 % lượt gọi được nhận xong trong thời gian ấy, ước "
        "theo các khoảng cố định (±42 %); để trống với lượt gọi đếm trước khi có các khoảng ấy.",
        "Failed: not answered, because of the partner, the caller or the bus. Over quota: refused "
        "by the bus, since the caller asked too often. p95: 95 % of the calls let in ended within "
        "that time, estimated by fixed buckets (±42 %); empty for calls counted before there were "
        "buckets.",
    )
    made: list[Row] = [
        (
            service,
            agency,
            scope.names.get(agency, ""),
            each.count,
            each.failed,
            each.over_quota,
            100 * each.answered / each.count if each.count else None,
            None if each.mean is None else each.mean / 1000,
            *(_seconds(each.percentile(share)) for share in SHARES),
            each.longest / 1000,
        )
        for (service, agency), each in calls.items()
    ]
    return [_section("services", title, _SERVICE, made, note)]


_SERVICE = (
    Column("service", Text("Dịch vụ", "Service"), "text"),
    *_NAMED,
    Column("calls", Text("Lượt gọi", "Calls")),
    Column("failed", Text("Lỗi", "Failed")),
    Column("over_quota", Text("Vượt hạn mức", "Over quota")),
    Column("answered_share", Text("Có trả lời", "Answered"), "percent"),
    Column("mean", Text("Trung bình", "Mean"), "seconds"),
    Column("p50", Text("p50", "p50"), "seconds"),
    Column("p95", Text("p95", "p95"), "seconds"),
    Column("p99", Text("p99", "p99"), "seconds"),
    Column("longest", Text("Lâu nhất", "Longest"), "seconds"),
)


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


_PARTS = (_volumes, _documents, _states, _dossiers, _failures, _responses, _services)
PARTS = len(_PARTS)


def _section(
    name: str,
    title: Text,
    columns: tuple[Column, ...],
    rows: Sequence[Row],
    note: Text | None = None,
) -> Section:
    """With the sums of what can be summed."""
    sums: list[Value] = []
    for place, column in enumerate(columns):
        values = (row[place] for row in rows)
        countable = column.unit == "count"
        sums.append(sum(v for v in values if isinstance(v, int)) if countable else "")
    return Section(name, title, columns, tuple(rows), tuple(sums) if rows else None, note)
