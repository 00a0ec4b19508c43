"""Errors as people and programs see them, and the exit codes of the command.

0 done · 1 a problem was found, or the bus refused · 2 wrong usage or settings · 3 ledger or broker
unavailable · 4 nothing of that name · 130 interrupted
"""

from __future__ import annotations

import sys

from bus.cli.lang import say, spoken
from bus.cli.output import json_text, printable
from schemas.errors import ConfigurationError, LgspError, NotFound, Text, Unavailable

PROBLEM = 1
USAGE = 2
UNAVAILABLE = 3
NOT_FOUND = 4

WHO = {
    "sender": Text("hệ thống gửi", "the sending system"),
    "operator": Text("đơn vị vận hành trục", "the operator of the bus"),
    "partner": Text("đối tác nhận", "the receiving partner"),
    "administrator": Text("quản trị trục", "the administrator of the bus"),
}


def exit_code(error: LgspError) -> int:
    match error:
        case Unavailable():
            return UNAVAILABLE
        case NotFound():
            return NOT_FOUND
        case ConfigurationError():
            return USAGE
        case _:
            return PROBLEM


def report(error: LgspError, *, as_json: bool) -> None:
    """On standard error: what happened, who must act, what to do next."""
    sys.stderr.write((_as_json(error) if as_json else _as_text(error)) + "\n")


def _as_text(error: LgspError) -> str:
    detail = printable(spoken(error.detail))
    return "\n".join(
        (
            f"✗ {spoken(error.title)} [{error.code}]",
            f"  {say('Việc xảy ra', 'What happened')}: {detail.replace(chr(10), chr(10) + '    ')}",
            f"  {say('Ai xử lý', 'Who must act')}: {spoken(WHO[error.actor])}",
            f"  {say('Bước tiếp theo', 'Next step')}: {spoken(error.advice)}",
        )
    )


def _as_json(error: LgspError) -> str:
    return json_text(
        {
            "error": {
                "code": error.code,
                "title": error.title._asdict(),
                "detail": error.detail._asdict(),
                "actor": error.actor,
                "advice": error.advice._asdict(),
                "retryable": error.retryable,
            }
        }
    )
