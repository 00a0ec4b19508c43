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
from adapters.signon.security import SignedMessage, UsernameToken
from adapters.signon.token import LgspAccessToken, Token
from adapters.signon.vxp_adapter import VxpAdapter
from adapters.signon.x_road import XRoad
from schemas.errors import ConfigurationError

__all__ = ["PartnerCall", "SignOn", "SignOnConfig", "create_sign_on", "parse_sign_on"]

_CLASSES: Mapping[str, Callable[[Any, Secrets, aiohttp.ClientSession], SignOn]] = MappingProxyType(
    {
        "none": Nothing,
        "mtls": Nothing,
        "basic": Basic,
        "bearer": Bearer,
        "token": Token,
        "lgsp-access-token": LgspAccessToken,
        "vxp-adapter": VxpAdapter,
        "x-road": XRoad,
        "wss-username": UsernameToken,
        "wss-x509": SignedMessage,
    }
)


def parse_sign_on(config: Mapping[str, object]) -> SignOnConfig:
    """The declaration checked, without connecting or resolving anything.

    Raises ConfigurationError that names the fields at fault and never repeats their values.
    """
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
) -> SignOn:
    """`http` is the shared session of `adapters.http.open_session()`; tokens are fetched with it.

    Raises ConfigurationError for a wrong declaration, a secret or a file that cannot be used.
    """
    declared = parse_sign_on(config)
    return _CLASSES[declared.kind](declared, secrets, http)
