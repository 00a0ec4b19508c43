"""The published XSD and the writer agree: all that is written is valid, and what is not, is not."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.resources import files

import pytest
from hypothesis import given, settings
from lxml import etree

from schemas.edxml import (
    NAMESPACE,
    STATUS_CODES,
    DocumentPacket,
    MessageHeader,
    StatusHeader,
    StatusPacket,
    TraceHeaderList,
    read,
    write,
    write_status,
)
from schemas.edxml.model import FileInfo, Group
from schemas.edxml.plan import plan_of
from schemas.xml import parse
from tests.unit.schemas.edxml.strategies import documents, statuses

Vector = Callable[[str], bytes]
PROFILE = settings(max_examples=100, deadline=None, database=None)
SHIPPED = files("schemas.edxml") / "edxml.xsd"  # a file of the package, so the wheel has it
SCHEMA = etree.XMLSchema(parse(SHIPPED.read_bytes()))
FOREIGN = ("", "urn:khac", "http://www.w3.org/2000/09/xmldsig#")


def faults(data: bytes) -> list[str]:
    SCHEMA.validate(parse(data))
    return [f"{entry.line}: {entry.message}" for entry in SCHEMA.error_log]


@PROFILE
@given(documents(FOREIGN))
def test_every_document_the_writer_gives_is_valid(case: tuple[DocumentPacket, list[bytes]]) -> None:
    packet, contents = case
    assert faults(b"".join(write(packet, [[content] for content in contents]))) == []


@PROFILE
@given(statuses(FOREIGN))
def test_every_status_the_writer_gives_is_valid(packet: StatusPacket) -> None:
    assert faults(write_status(packet)) == []


@pytest.mark.parametrize("name", ["written_new_java", "written_status_13"])
def test_golden_packets_are_valid(vector: Vector, name: str) -> None:
    assert faults(vector(name)) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("2026/03/02</edXML:Prom", "02/03/2026</edXML:Prom"),
        ("<edXML:Subject>", "<edXML:Unknown/><edXML:Subject>"),
        ("Bussiness", "Business"),
        ("<edXML:Priority>0", "<edXML:Priority>khẩn"),
        ("<edXML:OrganId>000.00.11.T90</edXML:OrganId>", ""),
        ('xmlns="http', 'xmlns="https'),
        (' version="1.0">', ">"),
    ],
)
def test_what_strict_receivers_refuse_is_invalid(vector: Vector, old: str, new: str) -> None:
    data = vector("written_new_java").decode()
    assert old in data
    assert faults(data.replace(old, new).encode()) != []


def test_elements_in_another_order_are_invalid(vector: Vector) -> None:
    data = vector("written_new_java")
    moved = re.sub(rb"(<edXML:DocumentId>.*?</edXML:DocumentId>)(<edXML:Code>.*?</edXML:Code>)",
                   rb"\2\1", data, count=1)  # fmt: skip
    assert moved != data
    assert faults(moved) != []


@pytest.mark.parametrize("model", [MessageHeader, StatusHeader, TraceHeaderList, FileInfo])
def test_the_schema_knows_every_element_of_the_model(model: type[Group]) -> None:
    declared = set(re.findall(r'<xs:element name="(\w+)"', SHIPPED.read_text("utf-8")))
    pending = [plan_of(model)]
    while pending:
        for slot in pending.pop().slots:
            assert declared >= {slot.element, slot.wrapper or slot.element}
            pending += [slot.plan] if slot.plan else []


def test_the_schema_knows_the_nine_status_codes() -> None:
    text = SHIPPED.read_text("utf-8")
    assert set(re.findall(r'<xs:enumeration value="(\d\d)"/>', text)) == STATUS_CODES
    assert f'targetNamespace="{NAMESPACE}"' in text


def test_what_was_tolerated_is_written_valid(vector: Vector) -> None:
    packet = read(vector("oddities").replace(b"<q:MadeUpExtension>x</q:MadeUpExtension>", b""))
    assert isinstance(packet, DocumentPacket)
    assert len(packet.warnings) > 5
    assert faults(b"".join(write(packet))) == []
