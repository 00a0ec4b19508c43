"""Packages as lines: questions on the way in, replies and problems on the way out.

A line is one JSON value (NDJSON), or one element of an array; answers are always NDJSON, because
they may be large and come one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from bus.gateway import problems
from bus.gateway.json_elements import elements
from schemas.errors import InvalidRequest, LgspError, TooLarge

NDJSON = "application/x-ndjson"


def questions(body: bytes, most: int) -> list[bytes]:
    """One for each line that is not blank, as it was written: what is wrong with one is its own.

    Raises InvalidRequest (there is none), TooLarge (more than `most`).
    """
    if body.lstrip()[:1] == b"[":
        return elements(body, most)
    found = [line for line in body.splitlines() if line.strip()]
    if not found:
        raise InvalidRequest("the package holds no question", vi="Gói không có câu hỏi nào")
    if len(found) > most:
        raise TooLarge(
            f"more than {most} questions in one request; ask them in several, or as a job",
            vi=f"Quá {most} câu hỏi trong một yêu cầu; hãy chia nhỏ, hoặc gửi thành lô",
            limit=most,
        )
    return found


def text_of(number: int, question: bytes) -> str:
    """A question as it can be kept. Raises InvalidRequest for what is no text."""
    try:
        text = question.decode().strip()
        if "\0" not in text:
            return text
    except UnicodeDecodeError:
        pass
    raise InvalidRequest(
        f"question {number} is not text in UTF-8",
        vi=f"Câu hỏi {number} không phải văn bản UTF-8",
        number=number,
    )


@dataclass(frozen=True, slots=True)
class Telling:
    """What a problem of one line needs beside the error."""

    path: str
    trace_id: str
    language: problems.Language

    def replied(self, number: int, reply: dict[str, Any]) -> bytes:
        return _line({"number": number, "status": 200, "reply": reply})

    def refused(self, number: int, error: LgspError) -> bytes:
        status = error.http_status
        problem = problems.body(
            error,
            status=status,
            path=self.path,
            correlation_id=self.trace_id,
            lang=self.language,
        )
        return _line({"number": number, "status": status, "problem": problem})


def _line(members: dict[str, Any]) -> bytes:
    return orjson.dumps(members, option=orjson.OPT_APPEND_NEWLINE)
