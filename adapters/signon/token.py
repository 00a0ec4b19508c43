"""Tokens that end: fetched, shared by all calls, renewed in time and when refused.

Sources: RFC 6749 §4.4, RFC 6750; the answers of WSO2, which NGSP and most LGSPs run, as public
clients show them.  WSO2 gives every asker of one client the same token until it ends, so that
several processes do not put each other's out of use where they share none.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from ssl import SSLContext
from urllib.parse import urlencode

import aiohttp
import orjson
from pydantic import AliasChoices, BaseModel, Field, ValidationError
from yarl import URL

from adapters.http import FAILURES, Answer, exchange, failure_error, retry_after
from adapters.sessions import LOGIN_MARGIN, Granted, Session
from adapters.signon.config import JsonTokenConfig, LgspAccessTokenConfig, TokenConfig
from adapters.signon.plain import Base, Http, Secrets, basic, header_secret, put_header, text_secret
from adapters.signon.port import PartnerCall
from schemas.errors import ConfigurationError, LgspError, PartnerGarbage, PartnerUnavailable
from schemas.sessions import Sessions

DEFAULT_SECONDS = 3600.0
"""How long a token lasts that comes without expires_in, as NGSP's do."""

_BARE = "X-Authentication-Token"
_SECRET_NAMES = ("SecretId", "SecretPass")
_FORM = "application/x-www-form-urlencoded"


class _Given(BaseModel):
    token: str = Field(
        min_length=1,
        pattern=r"^[\x21-\x7e]+$",
        repr=False,
        validation_alias=AliasChoices("access_token", "token"),
    )
    # seconds; some gateways write it as text
    expires_in: float | None = Field(None, allow_inf_nan=False)


@dataclass(frozen=True, slots=True)
class _Question:
    """How a token is asked for, and how long it is used."""

    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    answer_seconds: float
    early_seconds: float
    seconds: float  # of a token whose answer does not say it


class _Bearer(Base):
    """`Authorization: Bearer` with a token that ends."""

    _source: _Source

    async def sign(self, call: PartnerCall) -> None:
        put_header(call, "Authorization", f"Bearer {await self._source.current()}")

    async def refused(self, call: PartnerCall) -> bool:
        self._source.refused(call.headers.get("Authorization", "").removeprefix("Bearer "))
        return True


class Token(_Bearer):
    """Client credentials."""

    def __init__(
        self, config: TokenConfig, secrets: Secrets, http: Http, sessions: Sessions
    ) -> None:
        super().__init__(config, secrets, http)
        proof = basic(config.client_id, text_secret(config.client_secret, secrets))
        question = _credentials(config, {"Authorization": proof})
        self._source = _Source(config, question, http, self.ssl(), sessions)


class JsonToken(_Bearer):
    """An account and its password, in JSON."""

    def __init__(
        self, config: JsonTokenConfig, secrets: Secrets, http: Http, sessions: Sessions
    ) -> None:
        super().__init__(config, secrets, http)
        names = ("userName", "password") if config.names == "userName" else _SECRET_NAMES
        account = (config.user, text_secret(config.password, secrets))
        question = _Question(
            {"Content-Type": "application/json"},
            orjson.dumps(dict(zip(names, account, strict=True))),
            config.answer_seconds,
            early_seconds=0,
            seconds=config.token_seconds,
        )
        self._source = _Source(config, question, http, self.ssl(), sessions)


class LgspAccessToken(Base):
    """The header `lgspaccesstoken` beside a token that was got with it."""

    def __init__(
        self, config: LgspAccessTokenConfig, secrets: Secrets, http: Http, sessions: Sessions
    ) -> None:
        super().__init__(config, secrets, http)
        keys = {  # names and order as the gateway has them
            "AccessKey": text_secret(config.access_key, secrets),
            "SecretKey": text_secret(config.secret_key, secrets),
            "AppName": config.app_name,
            "PartnerCode": config.partner_code,
            "PartnerCodeCus": config.partner_code_cus,
        }
        written = json.dumps(keys, ensure_ascii=False, separators=(",", ":"))
        self._keys = b64encode(written.encode()).decode()
        self._header = config.token_header
        self._scheme = "Bearer " if config.token_header != _BARE else ""
        self._officer = (
            config.auth_hash
            and b64encode(header_secret(config.auth_hash, secrets).encode()).decode()
        )
        question = _credentials(config, {"lgspaccesstoken": self._keys})
        self._source = _Source(config, question, http, self.ssl(), sessions)

    async def sign(self, call: PartnerCall) -> None:
        token = await self._source.current()
        put_header(call, "lgspaccesstoken", self._keys)
        put_header(call, self._header, f"{self._scheme}{token}")
        if self._officer:
            put_header(call, "AuthHash", self._officer)

    async def refused(self, call: PartnerCall) -> bool:
        self._source.refused(call.headers.get(self._header, "").removeprefix(self._scheme))
        return True


def _credentials(
    config: TokenConfig | LgspAccessTokenConfig, headers: Mapping[str, str]
) -> _Question:
    form = {"grant_type": "client_credentials"}
    if config.scope is not None:
        form["scope"] = config.scope
    return _Question(
        {**headers, "Content-Type": _FORM},
        urlencode(form).encode(),
        config.answer_seconds,
        config.early_seconds,
        DEFAULT_SECONDS,
    )


class _Source:
    """Where tokens come from: one request under way, whoever waits.

    What is asked is the account: another secret or scope is another token.
    """

    def __init__(
        self,
        config: TokenConfig | JsonTokenConfig | LgspAccessTokenConfig,
        question: _Question,
        http: Http,
        tls: SSLContext | None,
        sessions: Sessions,
    ) -> None:
        self._url = URL(config.token_url)
        self._question = question
        self._http = http
        self._tls = tls or True
        self._session = Session(
            self._fetch,
            seconds=question.seconds,
            shared=sessions(
                config.kind,
                config.token_url,
                config.tls.certificate_file or "",
                *(f"{name}: {value}" for name, value in question.headers.items()),
                question.body.decode(),
            ),
            login_seconds=question.answer_seconds + LOGIN_MARGIN,
        )

    async def current(self) -> str:
        """Raises PartnerError, ConfigurationError."""
        return await self._session.current()

    def refused(self, token: str) -> None:
        self._session.refused(token)

    async def _fetch(self) -> Granted:
        question = self._question
        try:
            answer = await exchange(
                self._http,
                "POST",
                self._url,
                headers=question.headers,
                timeout=aiohttp.ClientTimeout(
                    total=question.answer_seconds, ceil_threshold=float("inf")
                ),
                data=question.body,
                tls=self._tls,
            )
        except FAILURES as error:
            raise failure_error(error) from None
        given = _read(answer)
        seconds = question.seconds if given.expires_in is None else given.expires_in
        # a token that lasts less than twice the margin is renewed at half its time
        return Granted(given.token, seconds, min(question.early_seconds, seconds / 2))


def _read(answer: Answer) -> _Given:
    """Raises PartnerError, ConfigurationError; the answer itself is in no error."""
    if answer.status != 200:
        raise _no_token(answer)
    try:
        return _Given.model_validate(orjson.loads(answer.body))
    except (orjson.JSONDecodeError, ValidationError):
        raise PartnerGarbage(
            "The partner's token address answered something that holds no token.",
            vi="Địa chỉ cấp mã truy cập của đối tác trả lời không có mã truy cập.",
        ) from None


def _no_token(answer: Answer) -> LgspError:
    if answer.status in {408, 425, 429, 502, 503, 504}:
        return PartnerUnavailable(
            f"The partner gives no token now (HTTP {answer.status}).",
            vi=f"Đối tác tạm thời không cấp mã truy cập (HTTP {answer.status}).",
            retry_after=retry_after(answer.headers),
        )
    if 300 <= answer.status < 500:  # invalid_client comes as 400 or 401
        return ConfigurationError(
            f"The partner gives no token to this account (HTTP {answer.status}).",
            vi=f"Đối tác không cấp mã truy cập cho tài khoản này (HTTP {answer.status}).",
        )
    return PartnerGarbage(
        f"The partner's token address failed (HTTP {answer.status}).",
        vi=f"Địa chỉ cấp mã truy cập của đối tác bị lỗi (HTTP {answer.status}).",
    )
