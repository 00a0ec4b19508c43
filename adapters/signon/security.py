"""WS-Security: a name with a password, or a signature, in the envelope's header.

Sources: OASIS Web Services Security 1.1.1, UsernameToken Profile 1.1 §3.1, X.509 Certificate Token
Profile 1.1; XML Signature with exclusive canonicalisation.
"""

from __future__ import annotations

import hashlib
import os
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from lxml import etree
from signxml.algorithms import (
    CanonicalizationMethod,
    SignatureConstructionMethod,
    SignatureMethod,
)
from signxml.signer import XMLSigner

from adapters.connection import resolve_secret
from adapters.signon.answers import SignedAnswers
from adapters.signon.config import WssUsernameConfig, WssX509Config
from adapters.signon.envelope import OASIS, WSSE, WSU, Element, Envelope, add, nsmap, rewritten
from adapters.signon.plain import MIN_SECRET, Base, Http, Secrets
from adapters.signon.port import PartnerCall
from schemas.errors import ConfigurationError

_BASE64 = OASIS + "soap-message-security-1.0#Base64Binary"
_USERNAME = OASIS + "username-token-profile-1.0#"
_X509 = OASIS + "x509-token-profile-1.0#X509v3"
_ID = f"{{{WSU}}}Id"


class UsernameToken(Base):
    def __init__(self, config: WssUsernameConfig, secrets: Secrets, http: Http) -> None:
        super().__init__(config, secrets, http)
        self._config = config
        self._password = resolve_secret(config.password, secrets, at_least=MIN_SECRET)

    async def sign(self, call: PartnerCall) -> None:
        call.body = await rewritten(call.body, self._add)

    def _add(self, envelope: Envelope) -> None:
        security = _security(envelope)
        if self._config.timestamp_seconds is not None:
            _timestamp(security, datetime.now(UTC), self._config.timestamp_seconds)
        token = add(security, WSSE, "UsernameToken")
        add(token, WSSE, "Username", self._config.user)
        if self._config.digest:
            self._add_digest(token)
        else:
            plain = self._password.decode("utf-8", "replace")
            add(token, WSSE, "Password", plain, Type=_USERNAME + "PasswordText")

    def _add_digest(self, token: Element) -> None:
        """Base64(SHA-1(nonce + created + password)): SHA-1 is what the profile says."""
        nonce, created = os.urandom(16), _written(datetime.now(UTC))
        digest = hashlib.sha1(nonce + created.encode() + self._password)  # noqa: S324
        proof = b64encode(digest.digest()).decode()
        add(token, WSSE, "Password", proof, Type=_USERNAME + "PasswordDigest")
        add(token, WSSE, "Nonce", b64encode(nonce).decode(), EncodingType=_BASE64)
        add(token, WSU, "Created", created)


class SignedMessage(Base):
    """Body and Timestamp signed with a certificate that travels along."""

    def __init__(self, config: WssX509Config, secrets: Secrets, http: Http) -> None:
        super().__init__(config, secrets, http)
        pem = resolve_secret(config.key, secrets, at_least=MIN_SECRET)
        certificate = resolve_secret(config.certificate, secrets, at_least=MIN_SECRET)
        self._key, self._certificate = _pair(pem, certificate)
        method = (
            SignatureMethod.RSA_SHA256
            if isinstance(self._key, rsa.RSAPrivateKey)
            else SignatureMethod.ECDSA_SHA256
        )
        self._signer = XMLSigner(
            method=SignatureConstructionMethod.detached,
            signature_algorithm=method,
            c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
        )
        self._seconds = config.timestamp_seconds
        self._answers = SignedAnswers(config.answers, secrets) if config.answers else None

    async def proven(self, body: bytes) -> None:
        if self._answers is not None:
            await self._answers.check(body)

    async def sign(self, call: PartnerCall) -> None:
        call.body = await rewritten(call.body, self._sign)

    def _sign(self, envelope: Envelope) -> None:
        security = _security(envelope)
        token = add(
            security,
            WSSE,
            "BinarySecurityToken",
            self._certificate,
            ValueType=_X509,
            EncodingType=_BASE64,
        )
        stamp = _timestamp(security, datetime.now(UTC), self._seconds)
        names = [_name(each) for each in (token, stamp, envelope.body)]
        signature = self._signer.sign(
            envelope.root,
            key=self._key,
            key_info=_reference(names[0]),
            reference_uri=[f"#{name}" for name in names[1:]],
        )
        security.append(signature)


def _pair(
    key: bytes, certificate: bytes
) -> tuple[rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, str]:
    """The key, and the certificate in base64. Raises ConfigurationError."""
    try:
        private = load_pem_private_key(key, password=None)
        public = x509.load_pem_x509_certificate(certificate)
    except (ValueError, TypeError):  # TypeError: it wants a password
        raise _bad_pair(
            "is not a PEM without a password", "không phải PEM không mật khẩu"
        ) from None
    if not isinstance(private, (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey)):
        raise _bad_pair("is neither RSA nor EC", "không phải RSA hoặc EC")
    if private.public_key() != public.public_key():
        raise _bad_pair("do not belong together", "không cùng một cặp")
    return private, b64encode(public.public_bytes(Encoding.DER)).decode()


def _bad_pair(en: str, vi: str) -> ConfigurationError:
    return ConfigurationError(
        f"sign_on wss-x509: key or certificate {en}.",
        vi=f"sign_on wss-x509: khóa hoặc chứng thư {vi}.",
    )


def _security(envelope: Envelope) -> Element:
    envelope.replace(WSSE, "Security")
    security = etree.SubElement(
        envelope.header, f"{{{WSSE}}}Security", nsmap=nsmap(wsse=WSSE, wsu=WSU)
    )
    security.set(f"{{{envelope.namespace}}}mustUnderstand", "1")
    return security


def _timestamp(security: Element, now: datetime, seconds: int) -> Element:
    stamp = add(security, WSU, "Timestamp")
    add(stamp, WSU, "Created", _written(now))
    add(stamp, WSU, "Expires", _written(now + timedelta(seconds=seconds)))
    return stamp


def _written(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"  # some read no fractions of a second


def _name(element: Element) -> str:
    name = element.get(_ID) or f"id-{uuid4().hex}"
    element.set(_ID, name)
    return name


def _reference(token: str) -> Element:
    ds = "http://www.w3.org/2000/09/xmldsig#"
    info = etree.Element(f"{{{ds}}}KeyInfo", nsmap=nsmap(ds=ds, wsse=WSSE))
    reference = add(info, WSSE, "SecurityTokenReference")
    add(reference, WSSE, "Reference", URI=f"#{token}", ValueType=_X509)
    return info
