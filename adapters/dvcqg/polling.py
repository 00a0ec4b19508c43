"""What the portal keeps for this province: online submissions, and questions to agencies.

Submissions come by the profile exchange (list, detail, acknowledgement); the list of questions is a
service of the portal's envelope, which shows a question until it is answered.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import orjson
from yarl import URL

from adapters.dvcqg import codec
from adapters.dvcqg.codec import Call
from adapters.dvcqg.config import DvcqgConfig
from adapters.dvcqg.outcomes import Judged
from adapters.dvcqg.questions import read_question
from adapters.portal_submission import EVENTS, read_submission
from adapters.profiles import DETAIL, Listed, Rounds, garbage, read_list, read_reply, text_of
from schemas.adapter import Inbox, Outcome, Result, Taken
from schemas.errors import (
    ConfigurationError,
    InvalidRequest,
    PartnerError,
    PartnerGarbage,
    PartnerTimeout,
    PartnerUnavailable,
)

Ask = Callable[[Callable[[str], Call]], Awaitable[tuple[Judged, bytes]]]
"""A call in a session, with its whole answer. Raises PartnerError, ConfigurationError."""

SEEN = 50_000
"""Questions remembered as taken, so that those not answered yet are not accepted every round."""


MOST_ROUNDS = 64
"""A refused question is tried again after 1, 2, 4 … and at last every so many rounds: its agency
may be declared meanwhile, or the portal mend what could not be read.
"""


class _Refused(NamedTuple):
    pause: int  # rounds between the last two tries
    rest: int  # rounds until the next


class Polling:
    """One portal as a source."""

    def __init__(self, config: DvcqgConfig, ask: Ask) -> None:
        self._config = config
        self._ask = ask
        self._rounds = Rounds(self._waiting)
        self._taken: dict[str, None] = {}  # numbers of questions, oldest first
        self._refused: dict[str, _Refused] = {}  # by number, of those that are still listed

    async def round(self, inbox: Inbox) -> int:
        """Raises PartnerError, ConfigurationError, LedgerUnavailable."""
        taken = 0
        if self._config.exchange_url is not None:
            taken += await self._rounds.round(partial(self._take, inbox))
        if self._config.fetch_questions:
            taken += await self._questions(inbox)
        return taken

    # ---- submissions

    async def _waiting(self) -> list[Listed]:
        return read_list(await self._exchange("GET", "list", {"unit_code": self._config.madonvi}))

    async def _take(self, inbox: Inbox, row: Listed) -> None:
        body = await self._exchange("GET", "detail", {"profile_id": row.id})
        taken = await self._put(inbox, row.id, body)
        status = "done" if taken.accepted else "fail"
        await self._exchange("POST", "ack", {"profile_id": row.id, "status": status})

    async def _put(self, inbox: Inbox, number: str, body: bytes) -> Taken:
        detail = read_reply(body, DETAIL)
        if not isinstance(detail, Mapping):
            raise garbage("the detail is no object")
        event = EVENTS.get(text_of(detail.get("event")))
        try:
            item = read_submission(detail.get("profile"), event=event)
        except InvalidRequest as error:
            return await inbox.refuse(number, body, error)
        return await inbox.take_item(number, self._config.portal_code, item, body)

    async def _exchange(self, method: str, path: str, query: Mapping[str, str]) -> bytes:
        url = URL(str(self._config.exchange_url)) / path

        def call(session: str) -> Call:
            return codec.exchange_call(self._config, method, url, query, session=session)

        judged, body = await self._ask(call)
        _require_answer(judged)
        return body

    # ---- questions

    async def _questions(self, inbox: Inbox) -> int:
        judged, _ = await self._ask(
            lambda session: codec.service_call(self._config, codec.QUESTIONS, session=session)
        )
        reply = judged.reply
        if judged.status != 200 or reply is None or reply.code != 0:  # not an empty list
            raise failure(judged.outcome)
        rows = reply.fields.get("result")
        if not isinstance(rows, list):
            raise garbage("the list of questions is no list")
        taken, listed = 0, set[str]()
        for row in rows:
            number = text_of(row.get("MaCauHoi")) if isinstance(row, dict) else ""
            if not number:
                raise garbage("a row of the list of questions has no MaCauHoi")
            listed.add(number)
            taken += await self._question(inbox, number, row)
        self._refused = {n: each for n, each in self._refused.items() if n in listed}
        return taken

    async def _question(self, inbox: Inbox, number: str, row: Mapping[str, Any]) -> bool:
        if number in self._taken:
            return False
        before = self._refused.get(number, _Refused(0, 0))
        if before.rest:
            self._refused[number] = before._replace(rest=before.rest - 1)
            return False
        ref, original = f"question:{number}", orjson.dumps(row)
        try:
            item = read_question(row)
        except InvalidRequest as error:
            taken = await inbox.refuse(ref, original, error)
        else:
            taken = await inbox.take_item(ref, self._config.portal_code, item, original)
        if not taken.accepted:
            pause = min(2 * before.pause or 1, MOST_ROUNDS)
            self._refused[number] = _Refused(pause, pause - 1)
            return True
        self._refused.pop(number, None)
        self._taken[number] = None
        if len(self._taken) > SEEN:
            self._taken.pop(next(iter(self._taken)))
        return True


def _require_answer(judged: Judged) -> None:
    """Raises PartnerError, ConfigurationError: the partner did not give what was asked for."""
    outcome = judged.outcome
    if judged.status != 200:
        raise failure(outcome)
    if outcome.result is not Result.DELIVERED and judged.reply is None:
        raise failure(outcome)


def failure(outcome: Outcome) -> PartnerError | ConfigurationError:
    """Of what a call came to, as polling tells it."""
    vi = "Cổng DVCQG không trả lời hoặc trả lời không đúng giao thức"
    if outcome.code == ConfigurationError.code:
        return ConfigurationError(outcome.detail)
    kinds: dict[str, type[PartnerError]] = {
        PartnerTimeout.code: PartnerTimeout,
        PartnerUnavailable.code: PartnerUnavailable,
    }
    return kinds.get(outcome.code, PartnerGarbage)(outcome.detail, vi=vi)
