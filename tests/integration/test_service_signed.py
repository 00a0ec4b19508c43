"""A partner that signs its answers, called through the gateway: only what it signed is told on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from lxml import etree

from schemas.service import OperationSettings
from tests.certificates import certificate
from tests.integration.service_harness import ONE, Services, calling
from tests.signed import signed_by

SIGN_ON = {
    "kind": "wss-x509",
    "certificate": "chung-thu",
    "key": "khoa",
    "answers": {"certificates": "doi-tac"},
}


@dataclass
class Signing:
    on: Services
    files: tuple[Path, Path]

    def sign(self, answer: bytes) -> bytes:
        return etree.tostring(signed_by(self.files, answer))

    def forge(self, answer: bytes) -> bytes:
        """Signature wrapping: the signed Body is moved aside, another one takes its place."""
        root = etree.fromstring(self.sign(answer))
        namespace = etree.QName(root).namespace
        header, body = root[0], root[1]
        forged = etree.fromstring(answer.replace("MẪU".encode(), b"GIA MAO"))[1]
        root.replace(body, forged)
        etree.SubElement(header, f"{{{namespace}}}Wrapper").append(body)
        return etree.tostring(root)


@pytest.fixture
async def signing(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Signing]:
    ours = certificate(tmp_path / "bus")
    files = certificate(tmp_path / "partner", key=rsa.generate_private_key(65537, 2048))
    values = {
        "chung-thu": ours[0].read_bytes(),
        "khoa": ours[1].read_bytes(),
        "doi-tac": files[0].read_bytes(),
        "data-subjects": b"key of subjects",
    }
    once = {"TraCuu": OperationSettings(idempotent=True, attempts=3)}
    async with calling(
        sqlite_url, tmp_path, values.__getitem__, sign_on=SIGN_ON, operations=once
    ) as services:
        yield Signing(services, files)


async def test_a_signed_answer_is_told_on(signing: Signing) -> None:
    signing.on.register.sealed = signing.sign
    answer = await signing.on.call("TraCuu", {"SoDinhDanh": ONE})
    assert answer.status_code == 200, answer.text
    assert answer.json()["CongDan"]["HoVaTen"] == "NGUYỄN THỊ MẪU"
    signing.on.register.fault = True
    fault = await signing.on.call("TraCuu", {"SoDinhDanh": ONE})
    assert "hệ thống đang bận" in fault.text, "a signed fault is the partner's word"


@pytest.mark.parametrize("how", ["unsigned", "forged", "empty", "unsigned fault"])
async def test_what_the_partner_did_not_sign_is_its_fault_and_not_told_on(
    signing: Signing, how: str
) -> None:
    register = signing.on.register
    register.sealed = signing.forge if how == "forged" else None
    register.empty, register.fault = how == "empty", how == "unsigned fault"
    answer = await signing.on.call("TraCuu", {"SoDinhDanh": ONE})
    assert answer.status_code == 502
    told = answer.json()
    assert (told["code"], told["whoMustAct"]) == ("partner-unproven", "partner"), told
    assert "MẪU" not in answer.text
    assert "GIA MAO" not in answer.text
    assert signing.on.asked == ["TraCuu"], "asking again would not help"
