"""Signatures of partners' answers: WS-Security X.509, checked against certificates that are known.

Sources: OASIS Web Services Security 1.1.1 §8, §10; W3C XML Signature Best Practices; McIntosh and
Austel, "XML Signature Element Wrapping Attacks" (2005). What is read later is the one Body below
the Envelope, so that very element must be what was signed, and no other can carry its name.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from cryptography import x509
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureMethod
from signxml.exceptions import InvalidCertificate, SignXMLException
from signxml.verifier import SignatureConfiguration, XMLVerifier

from adapters.connection import resolve_secret
from adapters.signon.config import SignedAnswersConfig
from adapters.signon.envelope import LARGE, SOAP_11, SOAP_12, WSSE, WSU, Element
from adapters.signon.plain import MIN_SECRET, Secrets
from schemas.errors import ConfigurationError, InvalidRequest, PartnerUnproven
from schemas.xml import Limits, parse

DS = "http://www.w3.org/2000/09/xmldsig#"
_LIMITS = Limits(size=64_000_000, elements=1_000_000, attributes=1_000_000)
_EXCLUSIVE = CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0
_SIGNATURES = frozenset(
    {
        SignatureMethod.RSA_SHA256,
        SignatureMethod.RSA_SHA384,
        SignatureMethod.RSA_SHA512,
        SignatureMethod.ECDSA_SHA256,
        SignatureMethod.ECDSA_SHA384,
        SignatureMethod.ECDSA_SHA512,
    }
)
_DIGESTS = frozenset({DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512})
_MOST_REFERENCES = 10
"""Each costs a copy of the message; Body, Timestamp, token and a few headers are signed."""


class SignedAnswers:
    """What an answer must prove. `check` is pure but for the time."""

    def __init__(self, config: SignedAnswersConfig, secrets: Secrets) -> None:
        """Raises ConfigurationError."""
        pem = resolve_secret(config.certificates, secrets, at_least=MIN_SECRET)
        try:
            self._certificates = x509.load_pem_x509_certificates(pem)
        except ValueError:
            raise ConfigurationError(
                "sign_on wss-x509: answers.certificates is not a PEM of certificates.",
                vi="sign_on wss-x509: answers.certificates không phải PEM chứa chứng thư.",
            ) from None
        self._needs_timestamp = config.timestamp
        self._fresh = timedelta(seconds=config.fresh_seconds)
        self._slack = timedelta(seconds=config.clock_seconds)

    async def check(self, body: bytes) -> None:
        """Raises PartnerUnproven; a large answer is checked in a thread, others go on meanwhile."""
        if len(body) <= LARGE:
            self._check(body)
        else:
            await asyncio.to_thread(self._check, body)

    def _check(self, body: bytes) -> None:
        try:
            root = parse(body, _LIMITS)
        except InvalidRequest:
            raise _unproven("it is no SOAP envelope alone", "không phải phong bì SOAP") from None
        content, security = _parts(root)
        signature = _only(security, DS, "Signature")
        named = self._verified(root, signature)
        _must_be_named(root, content, named, "Body")
        stamps = security.findall(f"{{{WSU}}}Timestamp")
        if len(stamps) > 1 or (not stamps and self._needs_timestamp):
            raise _unproven("it has not one Timestamp", "không có đúng một Timestamp")
        for stamp in stamps:
            _must_be_named(root, stamp, named, "Timestamp")
            self._must_be_fresh(stamp)

    def _verified(self, root: Element, signature: Element) -> frozenset[str]:
        """Names that the signature covers, once it is good. Raises PartnerUnproven."""
        _must_be_plain(signature)
        namespace = etree.QName(root).namespace
        config = SignatureConfiguration(
            location=f"./{{{namespace}}}Header/{{{WSSE}}}Security/",
            expect_references=True,
            signature_methods=_SIGNATURES,
            digest_algorithms=_DIGESTS,
            ignore_ambiguous_key_info=True,  # the key is that of the known certificate
        )
        expired = False
        for certificate in self._certificates:
            try:
                found = XMLVerifier().verify(root, x509_cert=certificate, expect_config=config)
            except InvalidCertificate:
                expired = True
            except (SignXMLException, etree.LxmlError, ValueError, TypeError):
                continue  # another certificate, or wrong; signxml lets errors of bad text out
            else:
                results = found if isinstance(found, list) else [found]
                covered = results[0].signature_xml.iterfind(f"{{{DS}}}SignedInfo/{{{DS}}}Reference")
                return frozenset(each.get("URI", "").removeprefix("#") for each in covered)
        if expired:
            raise _unproven(
                "the certificate that the bus knows of the partner is not in force",
                "chứng thư của đối tác mà trục đang tin không còn (hoặc chưa có) hiệu lực",
            )
        raise _unproven(
            "its signature is wrong, or by a certificate that the bus does not know",
            "chữ ký sai, hoặc ký bằng chứng thư mà trục không biết",
        )

    def _must_be_fresh(self, stamp: Element) -> None:
        now = datetime.now(UTC)
        created = _moment(stamp, "Created")
        expires = _moment(stamp, "Expires")
        if created is None:
            raise _unproven("its Timestamp does not say when", "Timestamp không ghi thời điểm")
        if created > now + self._slack:
            raise _unproven("it is dated in the future", "thời điểm ký ở tương lai")
        old = created < now - self._fresh - self._slack
        if old or (expires is not None and expires < now - self._slack):
            raise _unproven("it was signed too long ago", "đã ký từ lâu, không còn hiệu lực")


def _parts(root: Element) -> tuple[Element, Element]:
    """Body and Security of an envelope that holds one of each and nothing else beside its Header.

    Raises PartnerUnproven.
    """
    namespace = etree.QName(root).namespace or ""
    if root.tag not in {f"{{{SOAP_11}}}Envelope", f"{{{SOAP_12}}}Envelope"}:
        raise _unproven("it is no SOAP envelope alone", "không phải phong bì SOAP")
    header = _only(root, namespace, "Header")
    body = _only(root, namespace, "Body")
    if len(root) != 2 or root[0] is not header:
        raise _unproven("it holds more than Header and Body", "có phần ngoài Header và Body")
    return body, _only(header, WSSE, "Security")


def _only(parent: Element, namespace: str, name: str) -> Element:
    found = parent.findall(f"{{{namespace}}}{name}")
    if len(found) != 1:
        raise _unproven(f"it has {len(found)} {name} where one belongs", f"có {len(found)} {name}")
    return found[0]


def _must_be_plain(signature: Element) -> None:
    """What is signed are elements as they stand, found by their names in this message.

    Raises PartnerUnproven for transforms that choose or change what is signed.
    """
    references = signature.findall(f"{{{DS}}}SignedInfo/{{{DS}}}Reference")
    transforms = signature.findall(f"{{{DS}}}SignedInfo//{{{DS}}}Transform")
    method = signature.find(f"{{{DS}}}SignedInfo/{{{DS}}}CanonicalizationMethod")
    written = [each.get("Algorithm") for each in transforms]
    if method is not None:
        written.append(method.get("Algorithm"))
    if any(algorithm != _EXCLUSIVE.value for algorithm in written):
        raise _unproven("it is signed by way of transforms", "chữ ký dùng phép biến đổi lạ")
    if not 0 < len(references) <= _MOST_REFERENCES:
        raise _unproven(f"{len(references)} parts are signed", f"ký {len(references)} phần")
    if any(not each.get("URI", "").startswith("#") for each in references):
        raise _unproven("it signs what is not in it", "chữ ký trỏ ra ngoài thông điệp")


def _must_be_named(root: Element, element: Element, named: frozenset[str], what: str) -> None:
    """The element is signed, and no other can be taken for it. Raises PartnerUnproven."""
    name = element.get(f"{{{WSU}}}Id") or element.get("Id") or ""
    if name not in named:
        raise _unproven(f"its {what} is not signed", f"{what} không được ký")
    if _bearers(root, name) != [element]:
        raise _unproven("two of its elements have one Id", "hai phần tử trùng Id")


def _bearers(root: Element, name: str) -> list[Element]:
    """Elements that some reader might find under that name, each once for each attribute."""
    return [
        element
        for element in root.iter(etree.Element)
        for key, value in element.attrib.items()
        if value == name and etree.QName(str(key)).localname.lower() == "id"
    ]


def _moment(stamp: Element, name: str) -> datetime | None:
    """Raises PartnerUnproven."""
    found = stamp.findall(f"{{{WSU}}}{name}")
    if not found:
        return None
    try:
        moment = datetime.fromisoformat((found[0].text or "").strip())
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or len(found) > 1:
        raise _unproven("its Timestamp cannot be read", "không đọc được Timestamp")
    return moment


def _unproven(en: str, vi: str) -> PartnerUnproven:
    return PartnerUnproven(
        f"the partner's answer must be signed, but {en}",
        vi=f"Trả lời của đối tác phải có chữ ký số, nhưng {vi}",
    )
