"""One attempt: ask when an earlier one may have arrived, insert or update, judge the answer."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

import aiohttp
import orjson
from pydantic import BaseModel, ValidationError

from adapters.connection import resolve_secret, tls_context
from adapters.content import as_body, read_whole
from adapters.dvcqg import codec, shown
from adapters.dvcqg.codec import SYNC_RECORD, SYNC_STEP, Call
from adapters.dvcqg.config import DvcqgConfig
from adapters.dvcqg.fields import write_record, write_step
from adapters.dvcqg.manifest import MANIFEST
from adapters.dvcqg.outcomes import Judged, Verdict, judge
from adapters.http import FAILURES, exchange, failure_outcome
from adapters.sessions import Session
from schemas.adapter import (
    AdapterConfig,
    Manifest,
    OutboundDelivery,
    Outcome,
    Reconciling,
    Result,
)
from schemas.dossier import DossierRecord, Step
from schemas.dossier.reconcile import Seen
from schemas.errors import ConfigurationError, PartnerGarbage, PartnerUnavailable

MIN_PASSWORD = 8
"""Bytes. The portal issues its passwords; this only catches an empty or mistaken file."""

_THERE = frozenset({Verdict.EXISTS, Verdict.REACHED})

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
    ) -> None:
        """Raises ConfigurationError when the password or the CA file cannot be used."""
        self._config = config
        self._http = http
        self._password = ""
        if config.dialect == "portal":
            secret = resolve_secret(config.password or "", secrets, at_least=MIN_PASSWORD)
            self._password = secret.decode(errors="replace")
        self._tls = tls_context(config.ca_file)
        self._session = Session(self._log_in, seconds=config.session_seconds)
        self._known: OrderedDict[str, None] = OrderedDict()
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
                    return await self._sync_record(
                        _parsed(DossierRecord, content), delivery.maybe_sent
                    )
                case "step":
                    return await self._sync_step(_parsed(Step, content), delivery.maybe_sent)
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

    async def _in_session(self, call_of: Callable[[str], Call]) -> Judged:
        """A call, and once more with a new session when its own is refused: then it did nothing.

        Raises one of FAILURES (of the call), _Given (of the login).
        """
        if self._config.dialect != "portal":
            return await self._exchange(call_of(""))
        session = await self._session.current()
        judged = await self._exchange(call_of(session))
        if judged.verdict is not Verdict.SESSION:
            return judged
        self._session.refused(session)
        return await self._exchange(call_of(await self._session.current()))

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
            "POST",
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
