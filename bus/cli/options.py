"""Options that several commands share."""

from __future__ import annotations

import re
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from bus.cli.lang import say
from schemas import instant
from schemas.instant import SECOND, Instant

_AGO = re.compile(r"(\d{1,6})([smhd])")
_UNIT = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def parse_seconds(text: str) -> int:
    """`90s`, `30m`, `2h`, `7d`."""
    if not (match := _AGO.fullmatch(text.strip())):
        raise typer.BadParameter(
            say(f"{text!r}: dùng 90s, 30m, 2h hoặc 7d", f"{text!r}: use 90s, 30m, 2h or 7d")
        )
    return int(match[1]) * _UNIT[match[2]]


def parse_since(text: str) -> Instant:
    """So long ago, or a date, or a moment of ISO 8601; without a zone it is this machine's."""
    if _AGO.fullmatch(text.strip()):
        return instant.now() - parse_seconds(text) * SECOND
    try:
        return instant.from_datetime(datetime.fromisoformat(text.strip()).astimezone())
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            say(
                f"{text!r}: dùng 30m, 2h, 7d, 2026-11-23 hoặc 2026-11-23T08:00",
                f"{text!r}: use 30m, 2h, 7d, 2026-11-23 or 2026-11-23T08:00",
            )
        ) from None


Json = Annotated[
    bool, typer.Option("--json", help=say("in một tài liệu JSON", "print one JSON document"))
]
Limit = Annotated[
    int,
    typer.Option("--limit", "-n", min=1, max=10_000, help=say("số dòng tối đa", "most rows")),
]
Since = Annotated[
    int | None,
    typer.Option(
        "--since",
        parser=parse_since,
        metavar=say("LÚC", "TIME"),
        help=say("từ: 30m, 2h, 7d trước, hoặc ngày giờ", "from: 30m, 2h, 7d ago, or a date"),
    ),
]
EndpointFilter = Annotated[
    str | None, typer.Option("--endpoint", help=say("điểm kết nối", "endpoint"))
]
CodeFilter = Annotated[
    str | None, typer.Option("--code", help=say("mã lỗi, vd partner-timeout", "error code"))
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help=say("không hỏi lại", "do not ask"))]
Folder = Annotated[
    Path,
    typer.Option(
        "-f",
        "--from",
        exists=True,
        metavar=say("THƯ_MỤC", "DIR"),
        help=say("thư mục hoặc tệp YAML khai báo", "folder or file of declarations (YAML)"),
    ),
]


def examples(*lines: str) -> str:
    """Examples under a help text, kept as they stand."""
    title = say("Ví dụ:", "Examples:")
    return "\n\n\b\n" + "\n".join((title, *(f"  {line}" for line in lines)))


def agreed(text: str) -> bool:
    """Whether the person says yes. Where nobody can be asked, only --yes is a yes."""
    if not sys.stdin.isatty():
        raise typer.BadParameter(
            say("không có người để hỏi lại: thêm --yes", "nobody to ask: add --yes")
        )
    return typer.confirm(text)
