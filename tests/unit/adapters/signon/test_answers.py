"""Signed answers of partners, made by zeep and xmlsec, and what an attacker can do to them."""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import xmlsec
from cryptography.hazmat.primitives.asymmetric import rsa
from lxml import etree

from adapters.signon import SignOn, create_sign_on
from adapters.signon.envelope import SOAP_11, SOAP_12, WSU
from schemas.errors import ConfigurationError, PartnerUnproven
from tests.certificates import certificate
from tests.signed import signed_by
from tests.unit.adapters.signon.calls import secrets

DS = "http://www.w3.org/2000/09/xmldsig#"
KEY = rsa.generate_private_key(65537, 2048)
ANSWER = (
    '<e:Envelope xmlns:e="{soap}"><e:Header><r:Relay xmlns:r="urn:relay">7</r:Relay></e:Header>'
    '<e:Body><t:TraLoi xmlns:t="urn:so"><t:HoVaTen>NGUYỄN VĂN MẪU</t:HoVaTen></t:TraLoi></e:Body>'
    "</e:Envelope>"
)
Change = Callable[[etree._Element], None]


class Partner:
    """Signs its answers; the bus knows its certificate."""

    def __init__(self, folder: Path, http: aiohttp.ClientSession) -> None:
        self._folder = folder
        self._http = http
        self.files = certificate(folder / "partner", key=KEY)

    def sign_on(self, known: bytes | None = None, **answers: Any) -> SignOn:
        ours, key = certificate(self._folder / "bus")
        values = secrets(
            chung_thu=ours.read_bytes(),
            khoa=key.read_bytes(),
            doi_tac=known or self.files[0].read_bytes(),
        )
        config = {
            "kind": "wss-x509",
            "certificate": "chung-thu",
            "key": "khoa",
            "answers": {"certificates": "doi-tac", **answers},
        }
        return create_sign_on(config, values, self._http)

    def answer(self, soap: str = SOAP_11, **given: Any) -> etree._Element:
        return signed_by(self.files, ANSWER.format(soap=soap).encode(), **given)


@pytest.fixture
def partner(tmp_path: Path, http: aiohttp.ClientSession) -> Partner:
    return Partner(tmp_path, http)


def part(root: etree._Element, name: str) -> etree._Element:
    found = root.find(f".//{{*}}{name}")
    assert found is not None, name
    return found


async def refused(sign_on: SignOn, answer: etree._Element | bytes) -> str:
    body = answer if isinstance(answer, bytes) else etree.tostring(answer)
    with pytest.raises(PartnerUnproven) as caught:
        await sign_on.proven(body)
    return caught.value.detail.en


@pytest.mark.parametrize("soap", [SOAP_11, SOAP_12])
async def test_an_answer_that_xmlsec_signed_is_taken(partner: Partner, soap: str) -> None:
    await partner.sign_on().proven(etree.tostring(partner.answer(soap)))


async def test_a_large_answer_is_taken_too(partner: Partner) -> None:
    long = ANSWER.format(soap=SOAP_11).replace("MẪU", "MẪU " * 100_000).encode()
    await partner.sign_on().proven(etree.tostring(signed_by(partner.files, long)))


async def test_nobody_looks_where_it_is_not_declared(
    partner: Partner, http: aiohttp.ClientSession
) -> None:
    ours, key = certificate(partner.files[0].parent / "x")
    values = secrets(chung_thu=ours.read_bytes(), khoa=key.read_bytes())
    config = {"kind": "wss-x509", "certificate": "chung-thu", "key": "khoa"}
    await create_sign_on(config, values, http).proven(b"anything")


@pytest.mark.parametrize("body", [b"", b"<html/>", b"no xml", ANSWER.format(soap=SOAP_11).encode()])
async def test_an_unsigned_answer_is_refused(partner: Partner, body: bytes) -> None:
    await refused(partner.sign_on(), body)


@pytest.mark.parametrize("what", ["HoVaTen", "Created", "Expires", "DigestValue"])
async def test_a_change_of_what_is_signed_is_noticed(partner: Partner, what: str) -> None:
    answer = partner.answer()
    found = part(answer, what)
    said = found.text or ""
    found.text = said.replace(said[0], "B" if said[0] == "A" else "A", 1)
    assert "signature is wrong" in await refused(partner.sign_on(), answer)


async def test_another_partners_signature_is_refused(partner: Partner, tmp_path: Path) -> None:
    other = certificate(tmp_path / "other", key=rsa.generate_private_key(65537, 2048))
    answer = signed_by(other, ANSWER.format(soap=SOAP_11).encode())
    assert "does not know" in await refused(partner.sign_on(), answer)


async def test_two_certificates_are_known_while_one_replaces_the_other(
    partner: Partner, tmp_path: Path
) -> None:
    new = certificate(tmp_path / "new", key=rsa.generate_private_key(65537, 2048))
    sign_on = partner.sign_on(new[0].read_bytes() + partner.files[0].read_bytes())
    await sign_on.proven(etree.tostring(partner.answer()))
    await sign_on.proven(etree.tostring(signed_by(new, ANSWER.format(soap=SOAP_11).encode())))


async def test_a_certificate_that_has_ended_is_refused_and_said_so(
    partner: Partner, tmp_path: Path
) -> None:
    old = certificate(tmp_path / "old", key=KEY, days_ago=30)
    answer = signed_by(old, ANSWER.format(soap=SOAP_11).encode())
    assert "not in force" in await refused(partner.sign_on(old[0].read_bytes()), answer)


@pytest.mark.parametrize(
    "methods",
    [
        {"signature_method": xmlsec.constants.TransformRsaSha1},
        {"digest_method": xmlsec.constants.TransformSha1},
    ],
)
async def test_sha_1_is_refused(partner: Partner, methods: Mapping[str, Any]) -> None:
    await refused(partner.sign_on(), partner.answer(**methods))


async def test_a_signature_with_the_secret_of_a_public_key_is_refused(partner: Partner) -> None:
    """HMAC whose key would be the certificate that everybody has."""
    answer = partner.answer()
    part(answer, "SignatureMethod").set(
        "Algorithm", "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"
    )
    await refused(partner.sign_on(), answer)


async def test_the_timestamp_must_be_there_and_signed(partner: Partner) -> None:
    without = partner.answer(timestamp=False)
    assert "Timestamp" in await refused(partner.sign_on(), without)
    await partner.sign_on(timestamp=False).proven(etree.tostring(without))
    security = part(without, "Security")
    stamp = etree.SubElement(security, f"{{{WSU}}}Timestamp", {f"{{{WSU}}}Id": "late"})
    etree.SubElement(stamp, f"{{{WSU}}}Created").text = f"{dt.datetime.now(dt.UTC):%FT%TZ}"
    assert "Timestamp is not signed" in await refused(partner.sign_on(), without)


@pytest.mark.parametrize(
    ("created", "expires", "why"),
    [
        (-3600, 3600, "too long ago"),
        (-200, -100, "too long ago"),
        (600, 900, "future"),
    ],
)
async def test_an_answer_of_another_time_is_refused(
    partner: Partner, created: int, expires: int, why: str
) -> None:
    answer = partner.answer(created=created, expires=expires)
    assert why in await refused(partner.sign_on(), answer)


async def test_a_clock_may_be_off_a_little(partner: Partner) -> None:
    await partner.sign_on().proven(etree.tostring(partner.answer(created=30, expires=40)))
    await partner.sign_on().proven(etree.tostring(partner.answer(created=-90, expires=-30)))


def wrapped_in_header(root: etree._Element) -> None:
    """The signed Body goes into the Header, another one takes its place (McIntosh, Austel)."""
    body, header = part(root, "Body"), part(root, "Header")
    forged = copy.deepcopy(body)
    part(forged, "HoVaTen").text = "KẺ GIẢ MẠO"
    del forged.attrib[f"{{{WSU}}}Id"]
    root.replace(body, forged)
    etree.SubElement(header, "Wrapper").append(body)


def wrapped_with_the_same_id(root: etree._Element) -> None:
    wrapped_in_header(root)
    old = part(root, "Wrapper")[0]
    root[-1].set(f"{{{WSU}}}Id", str(old.get(f"{{{WSU}}}Id")))


def wrapped_with_an_id_of_another_kind(root: etree._Element) -> None:
    wrapped_in_header(root)
    old = part(root, "Wrapper")[0]
    root[-1].set("ID", str(old.get(f"{{{WSU}}}Id")))
    root[-1].set(f"{{{WSU}}}Id", str(old.get(f"{{{WSU}}}Id")))
    del old.attrib[f"{{{WSU}}}Id"]
    old.set("Id", str(root[-1].get("ID")))


def second_body(root: etree._Element) -> None:
    forged = copy.deepcopy(root[-1])
    part(forged, "HoVaTen").text = "KẺ GIẢ MẠO"
    del forged.attrib[f"{{{WSU}}}Id"]
    root.insert(1, forged)


def beside_the_body(root: etree._Element) -> None:
    root.append(etree.Element("Other"))


def second_security(root: etree._Element) -> None:
    root[0].insert(0, copy.deepcopy(part(root, "Security")))


def moved_signature(root: etree._Element) -> None:
    root[0].append(part(root, "Signature"))


def only_the_timestamp(root: etree._Element) -> None:
    """The Body's reference is taken out: what is left is not what was signed."""
    info = part(root, "SignedInfo")
    name = root[-1].get(f"{{{WSU}}}Id")
    for reference in info.findall(f"{{{DS}}}Reference"):
        if reference.get("URI") == f"#{name}":
            info.remove(reference)


def xpath_transform(root: etree._Element) -> None:
    transforms = part(root, "Transforms")
    chosen = etree.SubElement(transforms, f"{{{DS}}}Transform")
    chosen.set("Algorithm", "http://www.w3.org/TR/1999/REC-xpath-19991116")
    etree.SubElement(chosen, f"{{{DS}}}XPath").text = "false()"


def fetched_from_outside(root: etree._Element) -> None:
    part(root, "SignedInfo")[-1].set("URI", "http://127.0.0.1:9/")


@pytest.mark.parametrize(
    "change",
    [
        wrapped_in_header,
        wrapped_with_the_same_id,
        wrapped_with_an_id_of_another_kind,
        second_body,
        beside_the_body,
        second_security,
        moved_signature,
        only_the_timestamp,
        xpath_transform,
        fetched_from_outside,
    ],
)
async def test_signature_wrapping_is_refused(partner: Partner, change: Change) -> None:
    answer = partner.answer()
    change(answer)
    await refused(partner.sign_on(), answer)


async def test_a_good_signature_of_something_else_proves_nothing_of_the_body(
    partner: Partner,
) -> None:
    answer = partner.answer(body=False)
    assert "Body is not signed" in await refused(partner.sign_on(), answer)


async def test_known_certificates_that_are_none_are_a_wrong_configuration(
    partner: Partner,
) -> None:
    with pytest.raises(ConfigurationError, match="answers"):
        partner.sign_on(b"no pem")
