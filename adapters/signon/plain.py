"""Sign-ons that need nothing but a header, and what all of them share."""

from __future__ import annotations

import ssl
from base64 import b64encode
from collections.abc import Callable

import aiohttp

from adapters.connection import resolve_secret
from adapters.signon.config import (
    BasicConfig,
    BearerConfig,
    KindConfig,
    MutualTlsConfig,
    NoneConfig,
    Tls,
)
from adapters.signon.port import PartnerCall
from schemas.errors import ConfigurationError

Secrets = Callable[[str], bytes]
Http = aiohttp.ClientSession

MIN_SECRET = 1
"""Byte. Partners issue these secrets; this only catches an empty file."""


class Base:
    """Changes nothing, renews nothing."""

    def __init__(self, config: KindConfig, secrets: Secrets, http: Http) -> None:  # noqa: ARG002
        self._ssl = tls_of(config.tls, secrets)

    async def sign(self, call: PartnerCall) -> None: ...

    async def refused(self, call: PartnerCall) -> bool:  # noqa: ARG002 - the port's
        return False

    async def proven(self, body: bytes) -> None: ...

    def ssl(self) -> ssl.SSLContext | None:
        return self._ssl


class Nothing(Base):
    """No proof, or that of the certificate."""

    def __init__(self, config: NoneConfig | MutualTlsConfig, secrets: Secrets, http: Http) -> None:
        super().__init__(config, secrets, http)
        if isinstance(config, MutualTlsConfig) and config.tls.certificate_file is None:
            raise ConfigurationError(
                "sign_on mtls needs tls.certificate_file.",
                vi="sign_on mtls cần tls.certificate_file.",
            )


class Basic(Base):
    def __init__(self, config: BasicConfig, secrets: Secrets, http: Http) -> None:
        super().__init__(config, secrets, http)
        self._header = basic(config.user, text_secret(config.password, secrets))

    async def sign(self, call: PartnerCall) -> None:
        put_header(call, "Authorization", self._header)


class Bearer(Base):
    def __init__(self, config: BearerConfig, secrets: Secrets, http: Http) -> None:
        super().__init__(config, secrets, http)
        self._header = f"Bearer {header_secret(config.token, secrets)}"

    async def sign(self, call: PartnerCall) -> None:
        put_header(call, "Authorization", self._header)


def put_header(call: PartnerCall, name: str, value: str) -> None:
    """Whatever the caller gave under that name is gone: headers know no letter case."""
    for given in [each for each in call.headers if each.lower() == name.lower()]:
        del call.headers[given]
    call.headers[name] = value


def basic(user: str, password: str) -> str:
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"


def text_secret(name: str, secrets: Secrets) -> str:
    """Raises ConfigurationError."""
    try:
        return resolve_secret(name, secrets, at_least=MIN_SECRET).decode()
    except UnicodeDecodeError:
        raise _unusable(name) from None


def header_secret(name: str, secrets: Secrets) -> str:
    """A secret that is sent as it stands. Raises ConfigurationError."""
    secret = text_secret(name, secrets)
    if not (secret.isascii() and secret.isprintable()):
        raise _unusable(name)
    return secret


def _unusable(name: str) -> ConfigurationError:
    return ConfigurationError(
        f"The secret named {name[:50]!r} holds characters that cannot be sent.",
        vi=f"Khóa bí mật tên {name[:50]!r} có ký tự không gửi được.",
    )


def tls_of(config: Tls, secrets: Secrets) -> ssl.SSLContext | None:
    """Raises ConfigurationError."""
    if config == Tls():
        return None
    password = text_secret(config.key_password, secrets) if config.key_password else ""
    try:
        context = ssl.create_default_context(cafile=config.ca_file)
        if config.certificate_file is not None:
            # a function, for else OpenSSL asks the terminal for the password of an encrypted key
            context.load_cert_chain(config.certificate_file, config.key_file, lambda: password)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise ConfigurationError(
            f"The files of sign_on.tls cannot be used ({type(error).__name__}).",
            vi=f"Không dùng được các tệp của sign_on.tls ({type(error).__name__}).",
        ) from None
    return context
