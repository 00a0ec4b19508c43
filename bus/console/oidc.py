"""Log-in through an identity provider: OpenID Connect Core 1.0, code flow with PKCE (RFC 7636).

The provider says who a person is; what the person may do is said by the account in the ledger.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import secrets
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlencode

import aiohttp
import jwt
import orjson

from bus.console.settings import Provider
from schemas.errors import PartnerGarbage, PartnerUnavailable, Unauthenticated

ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")
"""Never `none`, never one with a shared secret."""

SCOPE = "openid email profile"
TIMEOUT = aiohttp.ClientTimeout(total=10)
LEEWAY = 60  # seconds the clocks may differ
KEEP_SECONDS = 3600.0  # of the provider's description
REFETCH_SECONDS = 30.0  # at most so often for a key that is not known
MAX_ANSWER = 256 * 1024


@dataclass(frozen=True, slots=True)
class Flow:
    """One log-in that is away at the provider; kept in a cookie of the browser."""

    state: str
    nonce: str
    verifier: str
    wanted: str  # page to go to afterwards

    @classmethod
    def new(cls, wanted: str) -> Flow:
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        return cls(state, nonce, verifier, wanted)

    def as_cookie(self) -> str:
        return base64.urlsafe_b64encode(orjson.dumps(asdict(self))).decode()

    @classmethod
    def of_cookie(cls, text: str) -> Flow:
        """Raises Unauthenticated."""
        try:
            return cls(**orjson.loads(base64.urlsafe_b64decode(text)))
        except (binascii.Error, orjson.JSONDecodeError, TypeError, ValueError):
            raise Unauthenticated(
                "this log-in has taken too long or began in another browser; begin again",
                vi="lần đăng nhập này quá lâu hoặc từ trình duyệt khác; hãy làm lại",
            ) from None

    @property
    def challenge(self) -> str:
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


class Client:
    """This console as a client of the provider."""

    def __init__(
        self, provider: Provider, secret: bytes | None, http: aiohttp.ClientSession
    ) -> None:
        self._provider = provider
        self._secret = secret
        self._http = http
        self._known: tuple[float, dict[str, Any]] | None = None
        self._keys: dict[str, jwt.PyJWK] = {}
        self._keys_at = float("-inf")
        self._lock = asyncio.Lock()

    async def authorization(self, flow: Flow, callback: str) -> str:
        """Where the browser goes. Raises PartnerUnavailable, PartnerGarbage."""
        described = await self._description()
        asked = {
            "response_type": "code",
            "client_id": self._provider.client_id,
            "redirect_uri": callback,
            "scope": SCOPE,
            "state": flow.state,
            "nonce": flow.nonce,
            "code_challenge": flow.challenge,
            "code_challenge_method": "S256",
        }
        joint = "&" if "?" in described["authorization_endpoint"] else "?"
        return f"{described['authorization_endpoint']}{joint}{urlencode(asked)}"

    async def subject(self, flow: Flow, answer: Mapping[str, str], callback: str) -> str:
        """Who it is, by what the browser brought back.

        Raises Unauthenticated, PartnerUnavailable, PartnerGarbage.
        """
        if not secrets.compare_digest(answer.get("state", "").encode(), flow.state.encode()):
            raise _not_proved("state")
        described = await self._description()
        if answer.get("iss", described["issuer"]) != described["issuer"]:  # RFC 9207
            raise _not_proved("issuer")
        if "code" not in answer:
            raise _not_proved(answer.get("error", "code")[:50])
        token = await self._exchange(described, answer["code"], flow, callback)
        claims = await self._claims(described, token)
        if claims.get("nonce") != flow.nonce:
            raise _not_proved("nonce")
        return self._named(claims)

    def _named(self, claims: Mapping[str, Any]) -> str:
        claim = self._provider.claim
        value = claims.get(claim)
        if not isinstance(value, str) or not value:
            raise _not_proved(claim)
        if claim == "email" and claims.get("email_verified") is not True:
            raise _not_proved("email_verified")
        return value

    async def _exchange(
        self, described: Mapping[str, Any], code: str, flow: Flow, callback: str
    ) -> str:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": callback,
            "client_id": self._provider.client_id,
            "code_verifier": flow.verifier,
        }
        auth = None
        if self._secret is not None:
            auth = aiohttp.BasicAuth(self._provider.client_id, self._secret.decode())
        answer = await self._json("POST", described["token_endpoint"], data=form, auth=auth)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise _not_proved(str(answer.get("error", "id_token"))[:50])
        return token

    async def _claims(self, described: Mapping[str, Any], token: str) -> dict[str, Any]:
        """OpenID Connect Core 1.0, section 3.1.3.7."""
        try:
            header = jwt.get_unverified_header(token)
            key = await self._key(described, str(header.get("kid", "")))
            return jwt.decode(
                token,
                key,
                algorithms=list(ALGORITHMS),
                audience=self._provider.client_id,
                issuer=described["issuer"],
                leeway=LEEWAY,
                options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )
        except jwt.PyJWTError as error:
            raise _not_proved(type(error).__name__) from None

    async def _key(self, described: Mapping[str, Any], kid: str) -> jwt.PyJWK:
        """A key that is not known yet may be new: the provider is asked, but not all the time."""
        async with self._lock:
            stale = time.monotonic() - self._keys_at > REFETCH_SECONDS
            if kid not in self._keys and stale:
                found = await self._json("GET", described["jwks_uri"])
                self._keys = {
                    str(each.get("kid", "")): jwt.PyJWK(each)
                    for each in found.get("keys", [])
                    if each.get("use", "sig") == "sig" and each.get("kty") in {"RSA", "EC", "OKP"}
                }
                self._keys_at = time.monotonic()
        if kid not in self._keys:
            raise _not_proved("kid")
        return self._keys[kid]

    async def _description(self) -> dict[str, Any]:
        """OpenID Connect Discovery 1.0, section 4."""
        if self._known is not None and time.monotonic() - self._known[0] < KEEP_SECONDS:
            return self._known[1]
        issuer = self._provider.issuer
        found = await self._json("GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        needed = ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri")
        if found.get("issuer") != issuer or not all(isinstance(found.get(n), str) for n in needed):
            raise PartnerGarbage(
                "the identity provider describes itself as another one",
                vi="đơn vị cấp định danh khai báo không khớp địa chỉ đã cấu hình",
            )
        self._known = (time.monotonic(), found)
        return found

    async def _json(self, method: str, url: str, **options: Any) -> dict[str, Any]:
        try:
            async with self._http.request(
                method, url, timeout=TIMEOUT, allow_redirects=False, **options
            ) as answer:
                body = await answer.content.read(MAX_ANSWER)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise PartnerUnavailable(
                f"the identity provider was not reached: {type(error).__name__}",
                vi=f"không kết nối được đơn vị cấp định danh: {type(error).__name__}",
            ) from None
        try:
            found = orjson.loads(body)
        except orjson.JSONDecodeError:
            found = None
        if not isinstance(found, dict):
            raise PartnerGarbage(
                "the identity provider's answer is not JSON",
                vi="đơn vị cấp định danh trả lời không phải JSON",
            )
        return found


def _not_proved(what: str) -> Unauthenticated:
    return Unauthenticated(
        f"the identity provider did not prove who you are ({what}); begin again",
        vi=f"chưa xác thực được qua đơn vị cấp định danh ({what}); hãy đăng nhập lại",
    )
