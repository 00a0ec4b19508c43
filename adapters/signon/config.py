"""How each kind of sign-on is declared. Secrets are named, never written."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, TypeAdapter

from adapters.connection import web_address
from schemas.adapter import AdapterConfig

Address = Annotated[str, AfterValidator(web_address)]
Header = Annotated[str, StringConstraints(min_length=1, pattern=r"^[\x21-\x7e]([\x20-\x7e]*)$")]
Secret = Annotated[str, StringConstraints(min_length=1)]
"""Name of a secret."""


class Tls(AdapterConfig):
    """Whom the bus trusts, and the certificate that it shows (mTLS)."""

    ca_file: str | None = Field(None, description="PEM of the CA that signed the partner's")
    certificate_file: str | None = Field(None, description="PEM of the certificate and its chain")
    key_file: str | None = Field(None, description="PEM of its private key, if in another file")
    key_password: Secret | None = None


class KindConfig(AdapterConfig):
    """What all kinds have."""

    tls: Tls = Tls()


class NoneConfig(KindConfig):
    """The network is the proof, as behind a provincial relay."""

    kind: Literal["none"] = "none"


class MutualTlsConfig(KindConfig):
    """The certificate is the proof."""

    kind: Literal["mtls"]
    tls: Tls


class BasicConfig(KindConfig):
    """HTTP Basic (RFC 7617), in UTF-8."""

    kind: Literal["basic"]
    user: Annotated[str, StringConstraints(min_length=1, pattern=r"^[^:\x00-\x1f\x7f]+$")]
    password: Secret


class BearerConfig(KindConfig):
    """A token that does not change (RFC 6750)."""

    kind: Literal["bearer"]
    token: Secret


class _Renewed(KindConfig):
    token_url: Address = Field(description="where tokens are given, https://…/token")
    scope: str | None = None
    early_seconds: float = Field(60, ge=0, description="renewed so long before it ends")
    answer_seconds: float = Field(10, gt=0, le=60, description="longest wait for a token")


class TokenConfig(_Renewed):
    """NGSP and most LGSPs (WSO2): client credentials (RFC 6749 §4.4)."""

    kind: Literal["token"]
    client_id: Annotated[str, StringConstraints(min_length=1, pattern=r"^[^:\x00-\x1f\x7f]+$")]
    client_secret: Secret


class LgspAccessTokenConfig(_Renewed):
    """Hậu Giang, Hồ Chí Minh, Gia Lai: every call shows the key pair and a token got with it."""

    kind: Literal["lgsp-access-token"]
    access_key: Secret
    secret_key: Secret
    app_name: str
    partner_code: str
    partner_code_cus: str = Field(description="the agency on whose behalf, PartnerCodeCus")
    token_header: Literal["Authorization", "X-Authentication-Token"] = Field(
        "Authorization", description="X-Authentication-Token: documents (DMS)"
    )
    auth_hash: Secret | None = Field(
        None, description="`keyName:keyPass` of the officer, for the population database"
    )


class JsonTokenConfig(KindConfig):
    """The combined service of births and deaths: a token for an account, asked in JSON."""

    kind: Literal["json-token"]
    token_url: Address
    user: Annotated[str, StringConstraints(min_length=1)]
    password: Secret
    names: Literal["userName", "SecretId"] = Field(
        "userName", description="userName with password, or SecretId with SecretPass"
    )
    token_seconds: float = Field(600, gt=0, description="renewed when it is so old")
    answer_seconds: float = Field(10, gt=0, le=60, description="longest wait for a token")


class PortalSessionConfig(KindConfig):
    """The national public service portal: a session in the body, from a login."""

    kind: Literal["portal-session"]
    login_url: Address
    user: Annotated[str, StringConstraints(min_length=1)]
    password: Secret
    dstcode: Header | None = Field(None, description="VN:GOV:000.00.00.G22:vpcpdvcprovider")
    session_seconds: float = Field(600, gt=0, description="renewed when it is so old")
    answer_seconds: float = Field(10, gt=0, le=60, description="longest wait for the login")


class VxpAdapterConfig(KindConfig):
    """The province's VXP/VDXP adapter (X-Road), as the population database is reached."""

    kind: Literal["vxp-adapter"]
    user: Header
    secret: Secret
    client: Header = Field(description="X-Road-Client: instance/class/code/subsystem")
    api_key: Secret | None = None
    dstcode: Header | None = Field(None, description="provider, VN:GOV:…; some adapters ask it")
    dstcode_in: Literal["header", "query"] = "header"
    provider_url: Address | None = Field(None, description="for adapters with several providers")
    service_url: str | None = Field(
        None, description="what is hashed in place of the address called (url_xacthuc)"
    )
    proof_header: Literal["Authorization", "AuthHash"] = "Authorization"
    timestamp: Literal["milliseconds", "seconds"] = "milliseconds"


_Member = Annotated[str, StringConstraints(pattern=r"^[^/\s]+/[^/\s]+/[^/\s]+/[^/\s]+$")]


class XRoadConfig(KindConfig):
    """A security server of X-Road: message protocol 4.0 (SOAP), 1.0 (REST)."""

    kind: Literal["x-road"]
    client: _Member = Field(description="instance/class/member/subsystem")
    service: _Member = Field(description="of the provider, likewise")
    service_code: str | None = Field(None, description="none: the name of the body's element")
    service_version: str | None = None


class WssUsernameConfig(KindConfig):
    """WS-Security UsernameToken Profile 1.1."""

    kind: Literal["wss-username"]
    user: Annotated[str, StringConstraints(min_length=1)]
    password: Secret
    digest: bool = Field(True, description="nonce, created and their hash; else the plain text")
    timestamp_seconds: int | None = Field(None, gt=0, description="adds a Timestamp that lasts so")


class SignedAnswersConfig(AdapterConfig):
    """The partner signs its answers, too: Body, and Timestamp where there is one."""

    certificates: Secret = Field(
        description="PEM of the certificates it may sign with; two while one replaces the other"
    )
    timestamp: bool = Field(
        True, description="an answer without a Timestamp is refused: it may be an old one"
    )
    fresh_seconds: int = Field(300, gt=0, description="oldest answer that is taken")
    clock_seconds: int = Field(60, ge=0, description="so far the partner's clock may be off")


class WssX509Config(KindConfig):
    """WS-Security X.509 Token Profile 1.1: Body and Timestamp are signed."""

    kind: Literal["wss-x509"]
    certificate: Secret = Field(description="PEM")
    key: Secret = Field(description="PEM of its private key, RSA or EC, without a password")
    timestamp_seconds: int = Field(300, gt=0)
    answers: SignedAnswersConfig | None = Field(
        None, description="given: answers must be signed; else nobody looks"
    )


SignOnConfig = (
    NoneConfig
    | MutualTlsConfig
    | BasicConfig
    | BearerConfig
    | TokenConfig
    | LgspAccessTokenConfig
    | JsonTokenConfig
    | PortalSessionConfig
    | VxpAdapterConfig
    | XRoadConfig
    | WssUsernameConfig
    | WssX509Config
)
DECLARED: TypeAdapter[SignOnConfig] = TypeAdapter(
    Annotated[SignOnConfig, Field(discriminator="kind")]
)
