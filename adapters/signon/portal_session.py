"""The national public service portal's session, which travels in the body of each call.

Source: public clients of the portal; how long a session lasts is not in its answer.
"""

from __future__ import annotations

from typing import Any

import aiohttp
import orjson
from yarl import URL

from adapters.http import FAILURES, exchange, failure_error
from adapters.sessions import LOGIN_MARGIN, Session
from adapters.signon.config import PortalSessionConfig
from adapters.signon.plain import Base, Http, Secrets, put_header, text_secret
from adapters.signon.port import PartnerCall
from schemas.errors import ConfigurationError, PartnerGarbage, PartnerUnavailable
from schemas.sessions import Sessions

_HEADERS = {"Content-Type": "application/json", "Charset": "utf-8"}


class PortalSession(Base):
    def __init__(
        self, config: PortalSessionConfig, secrets: Secrets, http: Http, sessions: Sessions
    ) -> None:
        super().__init__(config, secrets, http)
        self._config = config
        self._http = http
        password = text_secret(config.password, secrets)
        self._body = orjson.dumps({"username": config.user, "password": password})
        self._session = Session(
            self._log_in,
            seconds=config.session_seconds,
            shared=sessions(
                config.kind, config.login_url, config.user, password, config.dstcode or ""
            ),
            login_seconds=config.answer_seconds + LOGIN_MARGIN,
        )

    async def sign(self, call: PartnerCall) -> None:
        body = _object(call.body)
        if body is None:
            raise ConfigurationError(
                "sign_on portal-session needs a call whose body is a JSON object.",
                vi="sign_on portal-session cần lời gọi có nội dung là đối tượng JSON.",
            )
        body["session"] = await self._session.current()
        call.body = orjson.dumps(body)
        if self._config.dstcode is not None:
            put_header(call, "dstcode", self._config.dstcode)

    async def refused(self, call: PartnerCall) -> bool:
        self._session.refused(str((_object(call.body) or {}).get("session", "")))
        return True

    async def _log_in(self) -> str:
        headers = dict(_HEADERS)
        if self._config.dstcode is not None:
            headers["dstcode"] = self._config.dstcode
        limit = aiohttp.ClientTimeout(
            total=self._config.answer_seconds, ceil_threshold=float("inf")
        )
        try:
            answer = await exchange(
                self._http,
                "POST",
                URL(self._config.login_url),
                headers=headers,
                timeout=limit,
                data=self._body,
                tls=self.ssl() or True,
            )
        except FAILURES as error:
            raise failure_error(error) from None
        if answer.status in {408, 425, 429, 502, 503, 504}:
            raise PartnerUnavailable(
                f"The portal's login is not available now (HTTP {answer.status}).",
                vi=f"Cổng tạm thời không cho đăng nhập (HTTP {answer.status}).",
            )
        return _session(_object(answer.body))


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def _session(found: dict[str, Any] | None) -> str:
    """Raises PartnerGarbage, ConfigurationError; the answer itself is in no error."""
    code = str((found or {}).get("error_code", "")).strip()
    if found is None or not code.removeprefix("-").isdigit():
        raise PartnerGarbage(
            "The portal's login answered something that is not its protocol.",
            vi="Cổng trả lời đăng nhập không đúng giao thức.",
        )
    session = found.get("session")
    if int(code) != 0 or not isinstance(session, str) or not session:
        raise ConfigurationError(
            f"The portal refuses this account (error_code {code[:10]}).",
            vi=f"Cổng không chấp nhận tài khoản này (error_code {code[:10]}).",
        )
    return session
