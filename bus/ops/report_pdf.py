"""A report as PDF: A4 across, with fonts that have every Vietnamese letter embedded.

The fonts are Noto Sans (SIL Open Font License), from a package: nothing is looked for on the
machine, so a report looks the same everywhere.
"""

from __future__ import annotations

import io
from functools import cache
from typing import Any, Literal
from xml.sax.saxutils import escape

import pymupdf_fonts
from reportlab.lib import colors
from reportlab.lib.enums import TA_CENTER, TA_RIGHT
from reportlab.lib.pagesizes import A4, landscape
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase.pdfmetrics import registerFont, registerFontFamily
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    Flowable,
    Frame,
    HRFlowable,
    KeepTogether,
    PageTemplate,
    Paragraph,
    Spacer,
    Table,
    TableStyle,
)

from bus.ops.report_model import Report, Section, Value
from bus.ops.report_words import EMPTY, SYSTEM, TITLE, Lang, lines, say, shown, with_total

PLAIN, BOLD = "NotoSans", "NotoSans-Bold"
MARGIN = 15 * mm
Align = Literal[0, 1, 2]  # left, centre, right
SIZE, SMALL = 8.0, 6.8  # points; small: tables of many columns
MANY = 11  # columns
TEXT_SHARE = {1: 1.6, 2: 3.4}
"""How much wider than a figure a column of text is, by its place; the first tells codes."""

_INK, _SOFT, _GROUND = colors.HexColor("#14202b"), colors.HexColor("#c6d0d8"), "#e6eef4"


def to_pdf(report: Report, lang: Lang) -> bytes:
    _fonts()
    out = io.BytesIO()
    width, height = landscape(A4)
    document = BaseDocTemplate(
        out,
        pagesize=(width, height),
        title=f"{say(TITLE, lang)} {report.period.name}",
        author=report.issuer or say(SYSTEM, lang),
        lang="vi-VN" if lang == "vi" else "en",
    )
    frame = Frame(MARGIN, MARGIN, width - 2 * MARGIN, height - 2 * MARGIN, 0, 0, 0, 0)

    def foot(canvas: Canvas, _document: BaseDocTemplate) -> None:
        canvas.setFont(PLAIN, 7)
        canvas.setFillColor(_INK)
        canvas.drawString(MARGIN, 8 * mm, f"{say(SYSTEM, lang)} · {report.period.name}")
        canvas.drawRightString(width - MARGIN, 8 * mm, str(canvas.getPageNumber()))

    document.addPageTemplates(PageTemplate("page", [frame], onPage=foot))
    story = _head(report, lang)
    for section in report.sections:
        story += _section(section, lang, width - 2 * MARGIN)
    document.build(story)
    return out.getvalue()


@cache
def _fonts() -> None:
    for name, source in ((PLAIN, "notos"), (BOLD, "notosbo")):
        registerFont(TTFont(name, io.BytesIO(pymupdf_fonts.fontbuffers[source]())))
    registerFontFamily(PLAIN, normal=PLAIN, bold=BOLD, italic=PLAIN, boldItalic=BOLD)


def _style(
    size: float, *, bold: bool = False, align: Align = 0, after: float = 0
) -> ParagraphStyle:
    return ParagraphStyle(
        f"{size}{bold}{align}{after}",
        fontName=BOLD if bold else PLAIN,
        fontSize=size,
        leading=size * 1.3,
        textColor=_INK,
        alignment=align,
        spaceAfter=after,
    )


def _text(text: str, style: ParagraphStyle) -> Paragraph:
    return Paragraph(escape(text), style)


def _head(report: Report, lang: Lang) -> list[Flowable]:
    """Who issues it to the left, as documents of agencies have it; then title, period, scope."""
    issuer = [_text(report.issuer.upper(), _style(9))] if report.issuer else []
    title = _style(15, bold=True, align=TA_CENTER, after=4)
    below = _style(9, align=TA_CENTER)
    return [
        *issuer,
        _text(say(SYSTEM, lang).upper(), _style(9, bold=True)),
        HRFlowable(width=45 * mm, thickness=0.6, color=_INK, hAlign="LEFT", spaceAfter=10),
        _text(say(TITLE, lang).upper(), title),
        *(_text(line, below) for line in lines(report, lang)),
        Spacer(1, 8),
    ]


def _section(section: Section, lang: Lang, width: float) -> list[Flowable]:
    title = _text(say(section.title, lang), _style(11, bold=True, after=3))
    if not section.rows:
        return [KeepTogether([title, _text(say(EMPTY, lang), _style(SIZE, after=8))])]
    note = section.note
    below = [_text(say(note, lang), _style(7))] if note is not None else []
    return [title, _table(section, lang, width), *below, Spacer(1, 10)]


def _table(section: Section, lang: Lang, width: float) -> Table:
    size = SMALL if len(section.columns) > MANY else SIZE
    left, right = _style(size), _style(size, align=TA_RIGHT)
    strong_left, strong_right = _style(size, bold=True), _style(size, bold=True, align=TA_RIGHT)
    texts = [column.unit == "text" for column in section.columns]

    def row(
        values: tuple[Value, ...], of_text: ParagraphStyle, of_figure: ParagraphStyle
    ) -> list[Paragraph]:
        return [
            _text(shown(value, column.unit, lang), of_text if is_text else of_figure)
            for value, column, is_text in zip(values, section.columns, texts, strict=True)
        ]

    head = [
        _text(say(column.title, lang), strong_left if is_text else strong_right)
        for column, is_text in zip(section.columns, texts, strict=True)
    ]
    cells = [head, *(row(each, left, right) for each in section.rows)]
    style: list[Any] = [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("BACKGROUND", (0, 0), (-1, 0), _GROUND),
        ("LINEBELOW", (0, 0), (-1, -1), 0.4, _SOFT),
        ("LEFTPADDING", (0, 0), (-1, -1), 3),
        ("RIGHTPADDING", (0, 0), (-1, -1), 3),
        ("TOPPADDING", (0, 0), (-1, -1), 2),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
    ]
    if section.sums is not None:
        cells.append(row(with_total(section, lang), strong_left, strong_right))
        style.append(("LINEABOVE", (0, -1), (-1, -1), 0.8, _INK))
    shares = [
        TEXT_SHARE[min(place, 2)] if is_text else 1.0 for place, is_text in enumerate(texts, 1)
    ]
    widths = [width * share / sum(shares) for share in shares]
    return Table(cells, colWidths=widths, repeatRows=1, style=TableStyle(style))
