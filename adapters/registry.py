"""Which adapters exist, and how one is made from an endpoint's configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Protocol

import aiohttp
from pydantic import ValidationError

from adapters.dvcqg import Dvcqg
from adapters.dvcqg.facade import DvcqgFacade
from adapters.mailbox import Mailbox
from adapters.onestop import OneStop
from adapters.rest_push import RestPush
from adapters.vnpost import VnPost
from adapters.vxp import Vxp
from adapters.vxp.facade import VxpFacade
from adapters.webhook import Webhook
from schemas.adapter import Adapter, AdapterConfig, Manifest
from schemas.door import Facade
from schemas.errors import ConfigurationError
from schemas.sessions import Sessions, unshared

Secrets = Callable[[str], bytes]
"""Resolves the name of a secret to its value; raises LookupError when there is none."""


class AdapterClass(Protocol):
    """What a class in the registry offers beyond the port: how it is made."""

    @property
    def manifest(self) -> Manifest: ...

    @property
    def config_model(self) -> type[AdapterConfig]: ...

    def __call__(
        self, config: Any, *, http: aiohttp.ClientSession, secrets: Secrets
    ) -> Adapter: ...


_CLASSES: tuple[AdapterClass, ...] = (RestPush, Mailbox, Vxp, OneStop, Dvcqg, VnPost, Webhook)
_BY_KIND = MappingProxyType({each.manifest.kind: each for each in _CLASSES})
_LOG_IN = MappingProxyType({each.manifest.kind: each for each in (Dvcqg, VnPost)})
"""Those whose partners give sessions, which processes share."""


_FACADES: Mapping[str, Facade] = MappingProxyType(
    {each.name: each for each in (VxpFacade(), DvcqgFacade())}
)


def facades() -> Mapping[str, Facade]:
    """Every façade by the name that the settings use."""
    return _FACADES


def facade(name: str) -> Facade:
    """Raises ConfigurationError for one that is not there."""
    found = _FACADES.get(name)
    if found is None:
        known = ", ".join(sorted(_FACADES)) or "–"
        raise ConfigurationError(
            f"Unknown façade {name[:50]!r} in the settings; known: {known}.",
            vi=f"Không có cổng {name[:50]!r} nêu trong thiết lập; các cổng hiện có: {known}.",
        )
    return found


def adapters() -> Mapping[str, AdapterClass]:
    """Every adapter by its kind, the name that endpoint configurations use."""
    return _BY_KIND


def parse_config(kind: str, config: Mapping[str, object]) -> AdapterConfig:
    """The configuration checked, without connecting or resolving anything.

    Raises ConfigurationError that names the fields at fault and never repeats their values.
    """
    adapter = _BY_KIND.get(kind)
    if adapter is None:
        known = ", ".join(sorted(_BY_KIND))
        raise ConfigurationError(
            f"Unknown adapter kind {kind[:50]!r}; known: {known}.",
            vi=f"Không có loại kết nối {kind[:50]!r}; các loại hiện có: {known}.",
        )
    try:
        return adapter.config_model.model_validate(config)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'configuration'}: {fault['msg']}"
            for fault in error.errors(include_input=False, include_url=False)
        )
        raise ConfigurationError(
            f"Wrong configuration of a {kind} endpoint: {faults}",
            vi=f"Cấu hình điểm kết nối {kind} sai: {faults}",
        ) from None  # pydantic's own error repeats the values


def create(
    kind: str,
    config: Mapping[str, object],
    *,
    http: aiohttp.ClientSession,
    secrets: Secrets,
    sessions: Sessions = unshared,
) -> Adapter:
    """One connected endpoint. `http` is the shared session of `adapters.http.open_session()`,
    `sessions` where the processes of the bus keep what partners gave them for each other.

    Raises ConfigurationError for a wrong configuration or a secret that cannot be resolved.
    """
    checked = parse_config(kind, config)
    if kind in _LOG_IN:
        made: Callable[..., Adapter] = _LOG_IN[kind]
        return made(checked, http=http, secrets=secrets, sessions=sessions)
    return _BY_KIND[kind](checked, http=http, secrets=secrets)
