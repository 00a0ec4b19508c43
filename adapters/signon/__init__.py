"""How calls prove themselves to partners; see README.md."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import aiohttp
from pydantic import ValidationError

from adapters.signon.config import DECLARED, SignOnConfig
from adapters.signon.plain import Basic, Bearer, Nothing, Secrets
from adapters.signon.port import PartnerCall, SignOn
from adapters.signon.portal_session import PortalSession
from adapters.signon.security import SignedMessage, UsernameToken
from adapters.signon.token import JsonToken, LgspAccessToken, Token
from adapters.signon.vxp_adapter import VxpAdapter
from adapters.signon.x_road import XRoad
from schemas.errors import ConfigurationError
from schemas.sessions import Sessions, unshared

__all__ = ["PartnerCall", "SignOn", "SignOnConfig", "create_sign_on", "parse_sign_on"]

_CLASSES: Mapping[str, Callable[[Any, Secrets, aiohttp.ClientSession], SignOn]] = MappingProxyType(
    {
        "none": Nothing,
        "mtls": Nothing,
        "basic": Basic,
        "bearer": Bearer,
        "vxp-adapter": VxpAdapter,
        "x-road": XRoad,
        "wss-username": UsernameToken,
        "wss-x509": SignedMessage,
    }
)
_RENEWING: Mapping[str, Callable[[Any, Secrets, aiohttp.ClientSession, Sessions], SignOn]] = (
    MappingProxyType(
        {
            "token": Token,
            "lgsp-access-token": LgspAccessToken,
            "json-token": JsonToken,
            "portal-session": PortalSession,
        }
    )
)
"""Those that are given something that ends."""


def parse_sign_on(config: Mapping[str, object]) -> SignOnConfig:
    """The declaration checked, without connecting or resolving anything.

    Raises ConfigurationError that names the fields at fault and never repeats their values.
    """
    if str(config.get("kind")) not in {*_CLASSES, *_RENEWING}:
        known = ", ".join([*_CLASSES, *_RENEWING])
        raise ConfigurationError(
            f"Wrong sign_on: kind: one of {known} is needed.",
            vi=f"Khai báo sign_on sai: kind phải là một trong {known}.",
        )
    try:
        return DECLARED.validate_python(config)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'sign_on'}: {fault['msg']}"
            for fault in error.errors(include_input=False, include_url=False)
        )
        raise ConfigurationError(
            f"Wrong sign_on: {faults}", vi=f"Khai báo sign_on sai: {faults}"
        ) from None  # pydantic's own error repeats the values


def create_sign_on(
    config: Mapping[str, object],
    secrets: Secrets,
    http: aiohttp.ClientSession,
    sessions: Sessions = unshared,
) -> SignOn:
    """`http` is the shared session of `adapters.http.open_session()`; tokens are fetched with it.

    `sessions`: where the processes of the bus keep tokens for each other.

    Raises ConfigurationError for a wrong declaration, a secret or a file that cannot be used.
    """
    declared = parse_sign_on(config)
    if declared.kind in _RENEWING:
        return _RENEWING[declared.kind](declared, secrets, http, sessions)
    return _CLASSES[declared.kind](declared, secrets, http)
