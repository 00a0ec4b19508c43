"""The token desk: OAuth 2.0 client credentials (RFC 6749 §4.4), opaque tokens."""

from __future__ import annotations

import base64
import binascii
from typing import Literal
from urllib.parse import unquote_plus

from fastapi import Request
from fastapi.responses import JSONResponse
from starlette.datastructures import FormData

from bus.gateway.gate import Gate
from bus.gateway.models import TokenAnswer
from bus.ledger.identities import Identities
from schemas import instant
from schemas.instant import Clock

MAX_FORM = 16_384  # bytes of a part

Refusal = Literal["invalid_request", "invalid_client", "unsupported_grant_type"]
_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


class _Refused(Exception):
    def __init__(self, error: Refusal, description: str) -> None:
        super().__init__(error)
        self.error = error
        self.description = description

    def response(self) -> JSONResponse:
        """RFC 6749 §5.2; the description is ASCII by the standard."""
        headers = dict(_NO_STORE)
        if self.error == "invalid_client":
            headers["WWW-Authenticate"] = 'Basic realm="lgsp"'
        status = 401 if self.error == "invalid_client" else 400
        content = {"error": self.error, "error_description": self.description}
        return JSONResponse(content, status, headers)


class TokenDesk:
    """Gives tokens for keys."""

    def __init__(
        self, gate: Gate, identities: Identities, *, lifetime: float, clock: Clock = instant.now
    ) -> None:
        self._gate = gate
        self._identities = identities
        self._lifetime = lifetime
        self._clock = clock

    async def issue(self, request: Request) -> JSONResponse:
        try:
            return await self._issue(request)
        except _Refused as refused:
            return refused.response()

    async def _issue(self, request: Request) -> JSONResponse:
        form = await _read_form(request)
        client_id, secret = _credentials(request, form)
        if form.get("grant_type") != "client_credentials":
            raise _Refused("unsupported_grant_type", "only client_credentials is served here")
        proved = await self._gate.prove(client_id, secret, request.scope)
        if proved is None:
            raise _Refused("invalid_client", "unknown client, wrong key, or suspended")
        self._gate.spend(proved.client)
        request.scope["exchange"].client = proved.client.id
        token = await self._identities.issue_token(
            proved.client.id, proved.key_hash, lifetime=self._lifetime, now=self._clock()
        )
        answer = TokenAnswer(access_token=token, expires_in=int(self._lifetime))
        return JSONResponse(answer.model_dump(), headers=_NO_STORE)


async def _read_form(request: Request) -> FormData:
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        raise _Refused("invalid_request", "send a form (application/x-www-form-urlencoded)")
    form = await request.form(max_fields=20, max_part_size=MAX_FORM)
    for name in form:
        if len(form.getlist(name)) > 1:
            raise _Refused("invalid_request", "a parameter is given twice")
    return form


def _credentials(request: Request, form: FormData) -> tuple[str, str]:
    """From the header (client_secret_basic) or the form (client_secret_post), not from both."""
    header = request.headers.get("authorization", "")
    in_form = form.get("client_id"), form.get("client_secret")
    if not header:
        client_id, secret = in_form
        if not isinstance(client_id, str) or not isinstance(secret, str):
            raise _Refused("invalid_client", "client_id and client_secret are needed")
        return client_id, secret
    if in_form[1] is not None:
        raise _Refused("invalid_request", "credentials in the header and in the form")
    return _basic(header)


def _basic(header: str) -> tuple[str, str]:
    """RFC 6749 §2.3.1: both parts are form-encoded before they are joined."""
    scheme, _, encoded = header.partition(" ")
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        decoded = ""
    client_id, colon, secret = decoded.partition(":")
    if scheme.lower() != "basic" or not colon:
        raise _Refused("invalid_client", "the Authorization header is not Basic")
    return unquote_plus(client_id), unquote_plus(secret)
