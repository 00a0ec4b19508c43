"""What stands around the tables of a report, and how figures are written for people."""

from __future__ import annotations

from typing import Literal

from bus.ops.report_model import Coded, Report, Section, Unit, Value
from bus.ops.reports import Period
from schemas.errors import Text
from schemas.instant import to_datetime
from schemas.vietnam import VIETNAM

Lang = Literal["vi", "en"]
TITLE = Text("Báo cáo tích hợp, chia sẻ dữ liệu", "Report on data integration and sharing")
SYSTEM = Text("Trục tích hợp, liên thông (LGSP)", "Interoperability bus (LGSP)")
TOTAL = Text("Tổng", "Total")
EMPTY = Text("Kỳ này không có số liệu.", "Nothing in this period.")
_ROMAN = ("I", "II", "III", "IV")


def say(text: Text, lang: Lang) -> str:
    return text.vi if lang == "vi" else text.en


def period_of(period: Period, lang: Lang) -> str:
    """`Quý IV năm 2026 (01/10/2026 – 31/12/2026)`."""
    year, _, rest = period.name.partition("-")
    days = f"{period.first:%d/%m/%Y} – {period.last:%d/%m/%Y}"
    if not rest:
        return say(Text(f"Năm {year} ({days})", f"Year {year} ({days})"), lang)
    if rest.startswith("Q"):
        quarter = int(rest[1])
        text = Text(f"Quý {_ROMAN[quarter - 1]} năm {year}", f"Quarter {quarter} of {year}")
        return f"{say(text, lang)} ({days})"
    if len(rest) == 2:
        text = Text(f"Tháng {int(rest)} năm {year}", f"Month {int(rest)} of {year}")
        return f"{say(text, lang)} ({days})"
    return say(Text(f"Ngày {period.first:%d/%m/%Y}", f"Day {period.first:%d/%m/%Y}"), lang)


def lines(report: Report, lang: Lang) -> list[str]:
    """Below the title: period, whom it is about, when it was made."""
    at = f"{to_datetime(report.made_at).astimezone(VIETNAM):%H:%M:%S %d/%m/%Y}"
    about = report.about or say(Text("tất cả cơ quan", "all agencies"), lang)
    over = report.period.until <= report.made_at
    told = [
        f"{say(Text('Kỳ báo cáo', 'Period'), lang)}: {period_of(report.period, lang)}",
        f"{say(Text('Phạm vi', 'About'), lang)}: {about}",
        f"{say(Text('Số liệu tại thời điểm', 'As of'), lang)} {at} (UTC+7)",
    ]
    if not over:
        text = Text(
            "Kỳ chưa kết thúc: số liệu tính đến thời điểm lập.",
            "The period is not over: figures up to the moment of making.",
        )
        told.append(say(text, lang))
    return told


def shown(value: Value, unit: Unit, lang: Lang) -> str:
    """1.234 and 12,5 % in Vietnamese; an em dash for what cannot be said."""
    if value is None:
        return "—"
    if isinstance(value, Coded):
        return say(value.title, lang)
    if isinstance(value, str):
        return value
    if unit == "seconds":
        return _span(float(value), lang)
    text = f"{value:,.1f} %" if unit == "percent" else f"{value:,}"
    return text if lang == "en" else text.translate(_VIETNAMESE)


_VIETNAMESE = str.maketrans(",.", ".,")


def _span(seconds: float, lang: Lang) -> str:
    if seconds < 60:
        text = f"{seconds:.1f} s"
        return text if lang == "en" else text.translate(_VIETNAMESE)
    if seconds < 3600:
        return f"{seconds / 60:.0f} {'ph' if lang == 'vi' else 'min'}"
    hours, left = divmod(round(seconds / 60), 60)
    return f"{hours} {'g' if lang == 'vi' else 'h'} {left:02d}"


def with_total(section: Section, lang: Lang) -> tuple[Value, ...]:
    """The row of totals with its name in the first column."""
    sums = section.sums or ()
    return (say(TOTAL, lang), *sums[1:])
