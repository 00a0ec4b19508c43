"""Tokens that end: fetched, shared by all calls of the process, renewed in time and when refused.

Sources: RFC 6749 §4.4, RFC 6750; the answers of WSO2, which NGSP and most LGSPs run, as public
clients show them.  WSO2 gives every asker of one client the same token until it ends, so that
several processes do not put each other's out of use.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from ssl import SSLContext
from urllib.parse import urlencode

import aiohttp
import orjson
from pydantic import BaseModel, Field, ValidationError
from yarl import URL

from adapters.http import FAILURES, Answer, exchange, failure_error, retry_after
from adapters.sessions import Granted, Session
from adapters.signon.config import LgspAccessTokenConfig, TokenConfig
from adapters.signon.plain import Base, Http, Secrets, basic, header_secret, put_header, text_secret
from adapters.signon.port import PartnerCall
from schemas.errors import ConfigurationError, LgspError, PartnerGarbage, PartnerUnavailable

DEFAULT_SECONDS = 3600.0
"""How long a token lasts that comes without expires_in, as NGSP's do."""

_BARE = "X-Authentication-Token"
_FORM = "application/x-www-form-urlencoded"


class _Given(BaseModel):
    access_token: str = Field(min_length=1, pattern=r"^[\x21-\x7e]+$", repr=False)
    expires_in: float = DEFAULT_SECONDS  # seconds; some gateways write it as text


class Token(Base):
    """`Authorization: Bearer` with a token of client credentials."""

    def __init__(self, config: TokenConfig, secrets: Secrets, http: Http) -> None:
        super().__init__(config, secrets, http)
        proof = basic(config.client_id, text_secret(config.client_secret, secrets))
        self._source = _Source(config, self._http, {"Authorization": proof}, self.ssl())

    async def sign(self, call: PartnerCall) -> None:
        put_header(call, "Authorization", f"Bearer {await self._source.current()}")

    async def refused(self, call: PartnerCall) -> bool:
        self._source.refused(call.headers.get("Authorization", "").removeprefix("Bearer "))
        return True


class LgspAccessToken(Base):
    """The header `lgspaccesstoken` beside a token that was got with it."""

    def __init__(self, config: LgspAccessTokenConfig, secrets: Secrets, http: Http) -> None:
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
        self._source = _Source(config, self._http, {"lgspaccesstoken": self._keys}, self.ssl())

    async def sign(self, call: PartnerCall) -> None:
        token = await self._source.current()
        put_header(call, "lgspaccesstoken", self._keys)
        put_header(call, self._header, f"{self._scheme}{token}")
        if self._officer:
            put_header(call, "AuthHash", self._officer)

    async def refused(self, call: PartnerCall) -> bool:
        self._source.refused(call.headers.get(self._header, "").removeprefix(self._scheme))
        return True


class _Source:
    """Where tokens come from: one request under way, whoever waits."""

    def __init__(
        self,
        config: TokenConfig | LgspAccessTokenConfig,
        http: Http,
        headers: Mapping[str, str],
        tls: SSLContext | None,
    ) -> None:
        self._http = http
        self._url = URL(config.token_url)
        self._early = config.early_seconds
        self._timeout = aiohttp.ClientTimeout(
            total=config.answer_seconds, ceil_threshold=float("inf")
        )
        form = {"grant_type": "client_credentials"}
        if config.scope is not None:
            form["scope"] = config.scope
        self._form = urlencode(form).encode()
        self._headers = {**headers, "Content-Type": _FORM}
        self._tls = tls or True
        self._session = Session(self._fetch, seconds=DEFAULT_SECONDS)

    async def current(self) -> str:
        """Raises PartnerError, ConfigurationError."""
        return await self._session.current()

    def refused(self, token: str) -> None:
        self._session.refused(token)

    async def _fetch(self) -> Granted:
        try:
            answer = await exchange(
                self._http,
                "POST",
                self._url,
                headers=self._headers,
                timeout=self._timeout,
                data=self._form,
                tls=self._tls,
            )
        except FAILURES as error:
            raise failure_error(error) from None
        given = _read(answer)
        # a token that lasts less than twice the margin is used for half its time
        early = min(self._early, given.expires_in / 2)
        return Granted(given.access_token, given.expires_in - early)


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
