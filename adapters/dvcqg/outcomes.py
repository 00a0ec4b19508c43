"""What the portal's answers mean: one table for codes of every type and texts of every form.

No table of codes is public: success comes as 0, "0" and "00", an existing dossier as 0, 3 or -3,
everything else as -1; the rest is told by Vietnamese text.  Texts are compared without marks and
case, so that neither NFC or NFD nor capitals matter.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from enum import StrEnum
from http import HTTPStatus
from typing import Any, NamedTuple

import orjson

from adapters.http import Answer, retry_after
from adapters.portal_fields import CANONICAL
from schemas.adapter import Outcome, Result
from schemas.errors import (
    ConfigurationError,
    PartnerGarbage,
    PartnerLacksDossier,
    PartnerRefused,
    PartnerTimeout,
    PartnerUnavailable,
)


class Verdict(StrEnum):
    """What an answer says."""

    DONE = "done"
    EXISTS = "exists"  # đã tồn tại
    REACHED = "reached"  # a code seen when a dossier exists, and no known text
    MISSING = "missing"  # the dossier is not there
    SESSION = "session"  # the session is not good, or no longer
    SETTINGS = "settings"  # the account, or what was agreed for it, is wrong
    BUSY = "busy"  # not now; not processed
    REFUSED = "refused"  # this content, finally
    UNCLEAR = "unclear"  # perhaps processed


class Rule(NamedTuple):
    """Fits when the code is one of `codes` (None in it: there is no code) and the text has
    `words` and not `without`; what is left out fits always.
    """

    verdict: Verdict
    words: str = ""  # regular expression, on the folded text
    codes: frozenset[int | None] | None = None
    without: str = ""


_FAILED = r"\b(khong|chua) thanh cong\b|that bai"
_GOOD = frozenset[int | None]({0, 3, -3, None})

RULES: tuple[Rule, ...] = (
    Rule(Verdict.EXISTS, r"\bda ton tai\b"),
    Rule(Verdict.DONE, r"\bthanh cong\b", _GOOD, without=_FAILED),
    Rule(
        Verdict.SESSION, r"\b(session|token|phien (dang nhap|lam viec)|het phien|chua dang nhap)\b"
    ),
    Rule(
        Verdict.SETTINGS,
        r"\b(tai khoan|mat khau|dstcode|ma don vi|madinhdanhdv|khong co quyen|dich vu khong)\b",
    ),
    Rule(
        Verdict.MISSING,
        r"\bho so( co)?( ma( so)?)?( \S+)? (khong|chua) ton tai\b"
        r"|\bkhong (tim thay( thong tin)?|co) (ho so|du lieu)\b",
    ),
    Rule(Verdict.DONE, "", frozenset({0}), without=_FAILED),
    Rule(Verdict.BUSY, r"\b(qua tai|dang ban|bao tri|thu lai sau)\b"),
    Rule(Verdict.UNCLEAR, r"\b(loi he thong|co loi xay ra|exception|timeout|timed out)\b"),
    Rule(
        Verdict.REFUSED,
        r"\b(khong hop le|khong dung|sai dinh dang|bat buoc|khong duoc|qua dai|vuot qua|thieu)\b",
    ),
    Rule(Verdict.REACHED, "", frozenset({3, -3})),
    Rule(Verdict.UNCLEAR),
)
"""The first rule that fits decides. What no rule knows is unclear: asked or tried again, and never
taken for delivered or refused.
"""


class Reply(NamedTuple):
    """`{"error_code":…,"message":…,"result":[…]}`."""

    code: int | None  # None: there is none, or none that is a number
    message: str
    fields: Mapping[str, Any]


def fold(text: str) -> str:
    """Small letters without marks, blanks single: `Đã tồn tại` in any normal form is one text."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(char for char in plain if not unicodedata.combining(char))
    return " ".join(plain.replace("đ", "d").replace("ð", "d").split())


def number(code: object) -> int | None:
    """0 of 0, "0", "00", 0.0; None of what is no number."""
    if isinstance(code, bool):
        return None
    if isinstance(code, float) and code.is_integer():
        return int(code)
    text = str(code).strip()
    return int(text) if re.fullmatch(r"[+-]?\d{1,9}", text, re.ASCII) else None


def parse_reply(body: bytes) -> Reply | None:
    """None for a page (HTML); a bare text is a reply without code."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        text = body.decode(errors="replace").strip()
        return None if not text or "<" in text else Reply(None, text, {})
    if isinstance(found, str):
        return Reply(None, found, {})
    if not isinstance(found, dict):
        return None
    code = next((found[name] for name in _CODE_NAMES if name in found), None)
    message = found.get("message", found.get("Message", ""))
    return Reply(number(code), message if isinstance(message, str) else "", found)


_CODE_NAMES = ("error_code", "errorCode", "ErrorCode")


def verdict_of(reply: Reply | None) -> Verdict:
    if reply is None:
        return Verdict.UNCLEAR
    text = fold(reply.message)
    return next(rule.verdict for rule in RULES if _fits(rule, reply.code, text))


def _fits(rule: Rule, code: int | None, text: str) -> bool:
    if rule.codes is not None and code not in rule.codes:
        return False
    if rule.without and re.search(rule.without, text):
        return False
    return re.search(rule.words, text) is not None


_HINT = "the administrator looks at its answer and corrects the endpoint."


class Judged(NamedTuple):
    """An answer and what it says."""

    verdict: Verdict
    outcome: Outcome  # were it the last word
    reply: Reply | None
    status: int = HTTPStatus.OK


def judge(answer: Answer) -> Judged:
    """The HTTP status first, where it leaves no doubt; then the table."""
    status = answer.status
    reply = parse_reply(answer.body)
    verdict = verdict_of(reply)
    if status in _PAUSES:
        verdict = Verdict.BUSY
    elif status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        verdict = Verdict.SESSION
    elif status != HTTPStatus.OK and verdict is Verdict.DONE:
        verdict = Verdict.UNCLEAR
    return Judged(verdict, _outcome(verdict, answer, reply), reply, status)


_PAUSES = frozenset({408, 425, 429, 503})


def _outcome(verdict: Verdict, answer: Answer, reply: Reply | None) -> Outcome:
    told = _told(reply)
    match verdict:
        case Verdict.DONE:
            return Outcome(Result.DELIVERED, answer=told)
        case Verdict.REFUSED:
            return Outcome(Result.REJECTED, "", PartnerRefused.code, _refusal(reply), told)
        case Verdict.MISSING:
            return Outcome(Result.REJECTED, "", PartnerLacksDossier.code, _LACKING, told)
        case Verdict.BUSY:
            detail = f"The portal cannot take it now (HTTP {answer.status})."
            pause = retry_after(answer.headers)
            return Outcome(
                Result.TRANSIENT, "", PartnerUnavailable.code, detail, told, retry_after=pause
            )
        case Verdict.SESSION | Verdict.SETTINGS:
            detail = f"The portal does not accept the bus's account or session: {_HINT}"
            return Outcome(Result.TRANSIENT, "", ConfigurationError.code, detail, told)
        case _:
            return _unclear(answer, reply, told)


def _unclear(answer: Answer, reply: Reply | None, told: str) -> Outcome:
    status = answer.status
    if reply is None and 300 <= status < 500:
        detail = f"The portal's address does not take the bus's request (HTTP {status})."
        return Outcome(Result.TRANSIENT, "", ConfigurationError.code, detail, told)
    code = PartnerTimeout.code if status == HTTPStatus.GATEWAY_TIMEOUT else PartnerGarbage.code
    said = "no answer of its protocol" if reply is None else f"error_code {reply.code}"
    detail = f"The portal gave {said} (HTTP {status}); it may have processed it."
    return Outcome(Result.UNKNOWN, "", code, detail, told)


def _told(reply: Reply | None) -> str:
    """Code and message, never the result: that holds a citizen's data."""
    if reply is None:
        return ""
    code = "" if reply.code is None else f"error_code {reply.code}: "
    return f"{code}{reply.message}"[:2000]


_LACKING = "The portal does not know the dossier: this step waits until a record of it was taken."


def _refusal(reply: Reply | None) -> str:
    """Says which field the sender corrects, by the portal's name and the bus's."""
    names = re.findall(r"\w+", reply.message) if reply is not None else []
    fields = {each.lower(): each for each in CANONICAL}
    named = [fields[name.lower()] for name in names if name.lower() in fields]
    told = next((name for name in named if name != "MaHoSo"), next(iter(named), None))
    if told is None:
        return "The portal refused the content; its answer says why."
    return f"The portal refused field {told} ({CANONICAL[told]}): correct it and send it again."
