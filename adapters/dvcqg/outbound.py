"""One attempt: ask when an earlier one may have arrived, insert or update, judge the answer."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Any, ClassVar, TypeVar

import aiohttp
import orjson
import structlog
from pydantic import BaseModel, ValidationError

from adapters.connection import resolve_secret, tls_context
from adapters.content import as_body, read_whole
from adapters.dvcqg import codec, shown
from adapters.dvcqg.codec import SYNC_RECORD, SYNC_STEP, Call
from adapters.dvcqg.config import DvcqgConfig
from adapters.dvcqg.evaluations import write_evaluation
from adapters.dvcqg.manifest import MANIFEST
from adapters.dvcqg.outcomes import Judged, Verdict, judge
from adapters.dvcqg.polling import Polling, failure
from adapters.dvcqg.questions import write_answer
from adapters.dvcqg.states import write_state
from adapters.http import FAILURES, exchange, failure_outcome, open_answer
from adapters.http import Answer as HttpAnswer
from adapters.portal_fields import write_record, write_step
from adapters.sessions import LOGIN_MARGIN, Session
from schemas.adapter import (
    AdapterConfig,
    Inbox,
    Manifest,
    OutboundDelivery,
    Outcome,
    Reconciling,
    Result,
)
from schemas.dossier import DossierRecord, Step
from schemas.dossier.reconcile import Seen
from schemas.errors import ConfigurationError, PartnerGarbage, PartnerUnavailable
from schemas.flows import Answer, Evaluation
from schemas.inquiries import Payment, PaymentInquiry
from schemas.sessions import Sessions, unshared

log = structlog.get_logger(__name__)

MIN_PASSWORD = 8
"""Bytes. The portal issues its passwords; this only catches an empty or mistaken file."""

_THERE = frozenset({Verdict.EXISTS, Verdict.REACHED})

MAX_FETCHED = 8_000_000  # bytes of one answer

REMEMBERED = 200_000
"""Codes of dossiers that the portal is known to have; forgetting one costs an answer."""

Model = TypeVar("Model", bound=BaseModel)


class _Given(Exception):
    """Ends the attempt before anything was sent."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.detail)
        self.outcome = outcome


class Dvcqg:
    """The portal as one agency's account sees it. Safe for many deliveries at once."""

    manifest: ClassVar[Manifest] = MANIFEST
    config_model: ClassVar[type[AdapterConfig]] = DvcqgConfig

    def __init__(
        self,
        config: DvcqgConfig,
        *,
        http: aiohttp.ClientSession,
        secrets: Callable[[str], bytes],
        sessions: Sessions = unshared,
    ) -> None:
        """Raises ConfigurationError when the password or the CA file cannot be used."""
        self._config = config
        self._http = http
        self._password = ""
        shared = None
        if config.dialect == "portal":
            secret = resolve_secret(config.password or "", secrets, at_least=MIN_PASSWORD)
            self._password = secret.decode(errors="replace")
            login = codec.login_call(config, self._password)
            shared = sessions(MANIFEST.kind, str(login.url), login.body.decode())
        self._tls = tls_context(config.ca_file)
        self._session = Session(
            self._log_in,
            seconds=config.session_seconds,
            shared=shared,
            login_seconds=config.connect_seconds + config.answer_seconds + LOGIN_MARGIN,
        )
        self._known: OrderedDict[str, None] = OrderedDict()
        self._polling = Polling(config, self._ask)
        self._timeout = aiohttp.ClientTimeout(
            total=config.connect_seconds + config.answer_seconds,
            connect=config.connect_seconds,
            sock_read=config.answer_seconds,
            ceil_threshold=float("inf"),  # never rounded up to a whole second
        )

    async def deliver(self, delivery: OutboundDelivery) -> Outcome:
        """One attempt: at most a look-up, two pushes, and a login before each that is refused;
        each call takes `connect_seconds + answer_seconds` at the longest, and one that fails is
        the last.
        """
        content = await read_whole(delivery)
        if isinstance(content, Outcome):
            return content
        try:
            match delivery.kind:
                case "dossier":
                    record = _parsed(DossierRecord, content)
                    outcome = await self._sync_record(record, delivery.maybe_sent)
                    return await self._sync_state(record, outcome)
                case "step":
                    return await self._sync_step(_parsed(Step, content), delivery.maybe_sent)
                case "evaluation":
                    evaluation = _parsed(Evaluation, content)
                    return await self._sync_item(
                        codec.SYNC_EVALUATION, write_evaluation(evaluation), delivery
                    )
                case "answer":
                    answer = _parsed(Answer, content)
                    service = codec.PUBLISH_ANSWER if answer.asked else codec.ANSWER_QUESTION
                    return await self._sync_item(service, write_answer(answer), delivery)
                case _:
                    raise TypeError(f"delivery {delivery.id}: {delivery.kind} is not for a portal")
        except _Given as given:
            return given.outcome

    async def close(self) -> None:
        """Nothing to release: the HTTP session belongs to the process."""

    # ---- reconciliation (schemas.adapter.DossierLookup)

    @property
    def reconciling(self) -> Reconciling | None:
        if not self._can_look_up:
            return None
        config = self._config
        interval = config.reconcile_hours * 3600 or float("inf")
        return Reconciling(interval, config.reconcile_days, config.lookups_per_second)

    def expected(self, record: DossierRecord, steps: Sequence[Step]) -> Seen:
        return shown.expected(record, steps, with_steps=self._config.lookup_shows_steps)

    async def look_up(self, code: str) -> Seen | None:
        """Raises PartnerUnavailable, ConfigurationError."""
        if not self._can_look_up:
            raise ConfigurationError(
                "without lookup_url a relay cannot be asked what it has",
                vi="Chưa khai báo lookup_url nên không tra cứu được hồ sơ ở nơi nhận",
            )
        try:
            found = await self._look_up(code)
        except _Given as given:
            raise _unanswered(given.outcome) from None
        if found is None:
            return None
        return shown.shown(found, with_steps=self._config.lookup_shows_steps)

    # ---- records

    async def _sync_record(self, record: DossierRecord, maybe_sent: bool) -> Outcome:
        item = write_record(record)
        known = record.code in self._known
        if maybe_sent and self._can_look_up:
            found = await self._look_up(record.code)
            if found is not None and codec.shows(found, item):
                return self._done(record.code)
            known = found is not None
        judged = await self._push(SYNC_RECORD, item, updating=known)
        if judged.verdict in ({Verdict.MISSING} if known else _THERE):
            judged = await self._push(SYNC_RECORD, item, updating=not known)
        if judged.verdict is Verdict.DONE:
            return self._done(record.code, judged.outcome.answer)
        self._known.pop(record.code, None)
        return judged.outcome

    async def _sync_state(self, record: DossierRecord, outcome: Outcome) -> Outcome:
        """Of a dossier submitted on the portal, once its record is there.

        The record is delivered even where the portal does not want its state.
        """
        item = write_state(record) if self._config.dialect == "portal" else None
        if outcome.result is not Result.DELIVERED or item is None:
            return outcome
        try:
            judged = await self._in_session(
                lambda session: codec.state_call(self._config, item, session=session)
            )
        except FAILURES as error:
            return _doubtful(failure_outcome(error))
        if judged.verdict in {Verdict.DONE, Verdict.EXISTS}:
            return outcome
        if judged.verdict in {Verdict.REFUSED, Verdict.MISSING}:
            log.warning("dvcqg.state_refused", verdict=judged.verdict.value)
            answer = f"{outcome.answer} {codec.SYNC_STATE}: {judged.outcome.answer}".strip()
            return replace(outcome, answer=answer[:2000])
        return judged.outcome

    def _done(self, code: str, answer: str = "") -> Outcome:
        self._known[code] = None
        self._known.move_to_end(code)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return Outcome(Result.DELIVERED, partner_ref=code, answer=answer)

    # ---- steps

    async def _sync_step(self, step: Step, maybe_sent: bool) -> Outcome:
        if maybe_sent and self._can_look_up and self._config.lookup_shows_steps:
            found = await self._look_up(step.code)
            if found is not None and codec.shows_step(found, step):
                return _at_portal(step)
        judged = await self._push(SYNC_STEP, write_step(step), updating=False)
        if judged.verdict in {Verdict.DONE, Verdict.EXISTS}:
            return _at_portal(step, judged.outcome.answer)
        return judged.outcome

    # ---- what comes beside dossiers

    async def _sync_item(
        self, service: str, item: Mapping[str, Any], delivery: OutboundDelivery
    ) -> Outcome:
        """Sent again after any doubt: it replaces what the portal has under the same number."""
        judged = await self._push(service, item, updating=False)
        if judged.verdict in {Verdict.DONE, Verdict.EXISTS}:
            return Outcome(
                Result.DELIVERED, partner_ref=delivery.order_key, answer=judged.outcome.answer
            )
        return judged.outcome

    # ---- what is fetched (schemas.adapter.Poller)

    @property
    def interval(self) -> float:
        return self._config.poll_seconds

    async def poll(self, inbox: Inbox) -> int:
        """One round; nothing, where nothing is configured to be fetched."""
        return await self._polling.round(inbox)

    # ---- payments (schemas.adapter.Payments)

    async def payment(self, inquiry: PaymentInquiry) -> Payment:
        """error_code 1: paid, 0: not, everything else: the portal does not say."""
        if self._config.payment_url is None:
            raise ConfigurationError(
                "the endpoint has no payment_url: the administrator adds it",
                vi="Điểm kết nối chưa khai báo payment_url: quản trị trục bổ sung",
            )
        judged, _ = await self._ask(
            lambda session: codec.payment_call(self._config, inquiry, session=session)
        )
        reply = judged.reply
        if judged.status != HTTPStatus.OK or reply is None or reply.code not in {0, 1}:
            raise failure(judged.outcome)
        return Payment(paid=reply.code == 1, told=reply.message[:500])

    async def _ask(self, call_of: Callable[[str], Call]) -> tuple[Judged, bytes]:
        """A call whose whole answer is wanted. Raises PartnerError, ConfigurationError."""
        found = b""

        async def whole(call: Call) -> Judged:
            nonlocal found
            answer = await self._whole(call)
            found = answer.body
            return judge(answer)

        try:
            return await self._in_session(call_of, whole), found
        except FAILURES as error:
            raise failure(failure_outcome(error)) from None
        except _Given as given:
            raise failure(given.outcome) from None

    async def _whole(self, call: Call) -> HttpAnswer:
        """Raises PartnerGarbage for an answer beyond the limit, one of FAILURES."""
        async with open_answer(
            self._http,
            call.method,
            call.url,
            headers=call.headers,
            timeout=self._timeout,
            data=call.body or None,
            tls=self._tls,
        ) as response:
            body = bytearray()
            async for piece in response.content.iter_any():
                body += piece
                if len(body) > MAX_FETCHED:
                    raise PartnerGarbage(
                        f"an answer of more than {MAX_FETCHED} bytes",
                        vi=f"Cổng DVCQG trả lời hơn {MAX_FETCHED} byte",
                    )
            return HttpAnswer(response.status, response.headers, bytes(body))

    # ---- calls

    @property
    def _can_look_up(self) -> bool:
        return self._config.dialect == "portal" or self._config.lookup_url is not None

    async def _look_up(self, code: str) -> Mapping[str, Any] | None:
        """What the portal shows of the dossier; None: it does not know it.

        Raises _Given (unknown) when it does not say.
        """
        try:
            judged = await self._in_session(
                lambda session: codec.lookup_call(self._config, code, session=session)
            )
        except FAILURES as error:
            raise _Given(_doubtful(failure_outcome(error))) from None
        except _Given as given:
            raise _Given(_doubtful(given.outcome)) from None
        if judged.verdict is Verdict.MISSING:
            return None
        if judged.verdict not in {Verdict.DONE, Verdict.EXISTS} or judged.reply is None:
            raise _Given(_doubtful(judged.outcome))
        return codec.found_record(judged.reply.fields)

    async def _push(self, service: str, item: Mapping[str, Any], *, updating: bool) -> Judged:
        """Raises _Given when nothing was sent."""
        try:
            return await self._in_session(
                lambda session: codec.push_call(
                    self._config, service, item, session=session, updating=updating
                )
            )
        except FAILURES as error:
            return Judged(Verdict.UNCLEAR, failure_outcome(error), None)

    async def _in_session(
        self,
        call_of: Callable[[str], Call],
        exchange_with: Callable[[Call], Awaitable[Judged]] | None = None,
    ) -> Judged:
        """A call, and once more with a new session when its own is refused: then it did nothing.

        Raises one of FAILURES (of the call), _Given (of the login).
        """
        send = exchange_with or self._exchange
        if self._config.dialect != "portal":
            return await send(call_of(""))
        session = await self._session.current()
        judged = await send(call_of(session))
        if judged.verdict is not Verdict.SESSION:
            return judged
        self._session.refused(session)
        return await send(call_of(await self._session.current()))

    async def _log_in(self) -> str:
        """Raises _Given: without a login nothing was sent."""
        try:
            judged = await self._exchange(codec.login_call(self._config, self._password))
        except FAILURES as error:
            cause = failure_outcome(error)
            detail = f"The login failed, nothing was sent: {cause.detail}"
            raise _Given(Outcome(Result.TRANSIENT, code=cause.code, detail=detail)) from None
        session = judged.reply.fields.get("session") if judged.reply is not None else None
        if isinstance(session, str) and session and _good(judged):
            return session
        raise _Given(_no_login(judged))

    async def _exchange(self, call: Call) -> Judged:
        answer = await exchange(
            self._http,
            call.method,
            call.url,
            headers=call.headers,
            timeout=self._timeout,
            data=as_body(call.body, codec.JSON),
            tls=self._tls,
        )
        return judge(answer)


def _good(judged: Judged) -> bool:
    """A login says code 0; its message may speak of sessions."""
    return judged.reply is not None and judged.reply.code == 0


def _no_login(judged: Judged) -> Outcome:
    answered = judged.reply is not None and judged.reply.code is not None
    if answered and judged.verdict not in {Verdict.BUSY, Verdict.UNCLEAR}:
        detail = "The portal refuses the account or its password: the administrator corrects them."
        return Outcome(Result.TRANSIENT, code=ConfigurationError.code, detail=detail)
    code = judged.outcome.code or PartnerGarbage.code
    return Outcome(
        Result.TRANSIENT,
        code=code,
        detail="The portal did not answer the login properly; nothing was sent.",
        retry_after=judged.outcome.retry_after,
    )


def _doubtful(cause: Outcome) -> Outcome:
    """An earlier attempt may have arrived, and this one did not find out."""
    detail = f"Nothing was sent, an earlier attempt stays unknown: {cause.detail}"
    return Outcome(Result.UNKNOWN, "", cause.code, detail[:500], retry_after=cause.retry_after)


def _unanswered(outcome: Outcome) -> ConfigurationError | PartnerUnavailable:
    if outcome.code == ConfigurationError.code:
        return ConfigurationError(outcome.detail)
    return PartnerUnavailable(
        outcome.detail, vi="Cổng không trả lời tra cứu hồ sơ", retry_after=outcome.retry_after
    )


def _at_portal(step: Step, answer: str = "") -> Outcome:
    return Outcome(Result.DELIVERED, partner_ref=f"{step.code}#{step.id}"[:200], answer=answer)


def _parsed(model: type[Model], content: bytes) -> Model:
    """Raises _Given: what a mapping made of it is not in the canonical form."""
    try:
        return model.model_validate(orjson.loads(content))
    except (ValidationError, orjson.JSONDecodeError) as error:
        faults = error.errors(include_input=False) if isinstance(error, ValidationError) else []
        where = ", ".join(".".join(map(str, fault["loc"])) for fault in faults) or "its JSON"
        detail = f"A mapped value is not valid ({where}): the administrator corrects the mapping."
        outcome = Outcome(Result.TRANSIENT, code=ConfigurationError.code, detail=detail[:500])
        raise _Given(outcome) from None
