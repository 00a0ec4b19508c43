"""`python -m tests.bench.translate [--rounds N] [--json FILE]`: translation beside its peers.

The same messages (2, 10 and 100 KB of rows with text, numbers, dates and nested addresses), both
ways, by the bus, zeep, xmlschema and xmltodict; CPU µs a message. xmltodict knows no types and no
schema: it stands there as the least that a converter costs. All variants take turns.
"""

from __future__ import annotations

import argparse
import gc
import io
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import xmlschema
import xmltodict
import zeep
import zeep.helpers
from lxml import etree
from rich.console import Console
from rich.table import Table

from bus.gateway.translate import compile_wsdl

SIZES = (2, 10, 100)  # KB
BUS, BUS_UNCHECKED = "bus", "bus, no XSD"
NAMESPACE = "urn:bench"
SCHEMA = f"""<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="{NAMESPACE}"
 targetNamespace="{NAMESPACE}" elementFormDefault="qualified">
<xs:element name="Ask"><xs:complexType><xs:sequence>
 <xs:element name="row" type="t:Row" minOccurs="0" maxOccurs="unbounded"/>
</xs:sequence></xs:complexType></xs:element>
<xs:complexType name="Row"><xs:sequence>
 <xs:element name="HoVaTen" type="xs:string"/><xs:element name="SoDinhDanh" type="xs:string"/>
 <xs:element name="NgaySinh" type="xs:date"/><xs:element name="GioiTinh" type="xs:int"/>
 <xs:element name="ThuNhap" type="xs:decimal" minOccurs="0"/>
 <xs:element name="DiaChi"><xs:complexType><xs:sequence>
  <xs:element name="Tinh" type="xs:string"/><xs:element name="Xa" type="xs:string"/>
 </xs:sequence></xs:complexType></xs:element>
</xs:sequence></xs:complexType></xs:schema>"""
WSDL = f"""<w:definitions xmlns:w="http://schemas.xmlsoap.org/wsdl/" xmlns:t="{NAMESPACE}"
 xmlns:s="http://schemas.xmlsoap.org/wsdl/soap/" targetNamespace="{NAMESPACE}">
<w:types>{SCHEMA}</w:types><w:message name="M"><w:part name="p" element="t:Ask"/></w:message>
<w:portType name="P"><w:operation name="Ask"><w:input message="t:M"/><w:output message="t:M"/>
</w:operation></w:portType><w:binding name="B" type="t:P">
<s:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
<w:operation name="Ask"><s:operation soapAction="ask"/><w:input><s:body use="literal"/></w:input>
<w:output><s:body use="literal"/></w:output></w:operation></w:binding>
<w:service name="S"><w:port name="Port" binding="t:B"><s:address location="http://bench.invalid/"/>
</w:port></w:service></w:definitions>""".encode()
ROW = {
    "HoVaTen": "Nguyễn Thị Minh Anh",
    "SoDinhDanh": "001099000001",
    "NgaySinh": "1990-01-31",
    "GioiTinh": 1,
    "ThuNhap": "12000000.50",
    "DiaChi": {"Tinh": "Hà Nội", "Xa": "Phường Ba Đình"},
}

untyped: Any = zeep
Work = Callable[[], object]
Figures = dict[str, dict[str, float]]


def variants(size: int) -> dict[str, dict[str, Work]]:
    """What is done to one message of `size` KB, by direction and name; all give the same data."""
    message = compile_wsdl({"bench.wsdl": WSDL}, "bench.wsdl").operations["Ask"].request
    rows = 1
    while len(message.to_xml({"row": [ROW] * rows}).body) < size * 1000:
        rows += 1
    data = orjson.dumps({"row": [ROW] * rows})
    xml = message.to_xml(data).body

    client = untyped.Client(io.BytesIO(WSDL))
    operation = client.service._binding._operations["Ask"]
    schema = xmlschema.XMLSchema(SCHEMA)
    body = etree.tostring(_body(xml))
    decoded: Any = schema.to_dict(body)
    plain = xmltodict.parse(xml)
    parsed = operation.input.body.parse(_body(xml), client.wsdl.types)
    arguments = untyped.helpers.serialize_object(parsed)

    def zeep_reads() -> bytes:
        found = operation.input.body.parse(_body(xml), client.wsdl.types)
        return orjson.dumps(untyped.helpers.serialize_object(found), default=str)

    def zeep_writes() -> bytes:
        return etree.tostring(client.create_message(client.service, "Ask", **arguments))

    def xmlschema_reads() -> bytes:
        return orjson.dumps(schema.to_dict(body), default=str)

    assert len(orjson.loads(zeep_reads())["row"]) == rows
    assert orjson.loads(orjson.dumps(message.to_json(xml))) == orjson.loads(data)
    return {
        "XML → JSON": {
            BUS: lambda: orjson.dumps(message.to_json(xml)),
            BUS_UNCHECKED: lambda: orjson.dumps(message.to_json(xml, validate=False)),
            "zeep": zeep_reads,
            "xmlschema": xmlschema_reads,
            "xmltodict": lambda: orjson.dumps(xmltodict.parse(xml)),
        },
        "JSON → XML": {
            BUS: lambda: message.to_xml(data).body,
            "zeep": zeep_writes,
            "xmlschema": lambda: schema.encode(decoded),
            "xmltodict": lambda: xmltodict.unparse(plain),
        },
    }


def _body(envelope: bytes) -> Any:
    found = etree.fromstring(envelope).find("{*}Body")
    assert found is not None
    return found[0]


def cpu(work: Work, seconds: float) -> float:
    """CPU µs of one call, over calls that take about `seconds` together."""
    began = time.process_time()
    work()
    once = max(time.process_time() - began, 1e-5)
    times = max(2, int(seconds / once))
    gc.collect()
    began = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - began) / times * 1e6


def measure(sizes: tuple[int, ...], rounds: int, seconds: float) -> dict[str, Figures]:
    """Medians of the rounds in µs, by `2 KB, XML → JSON` and variant."""
    found: dict[str, Figures] = {}
    for size in sizes:
        for direction, all_work in variants(size).items():
            taken: dict[str, list[float]] = {name: [] for name in all_work}
            for _ in range(rounds):
                for name, work in all_work.items():
                    taken[name].append(cpu(work, seconds))
            medians = {name: statistics.median(each) for name, each in taken.items()}
            ratios = {name: each / medians[BUS] for name, each in medians.items() if name != BUS}
            found[f"{size} KB, {direction}"] = {"µs": medians, "× bus": ratios}
            print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return found


def show(found: dict[str, Figures]) -> None:
    table = Table(title="CPU µs a message, and how many times what the bus takes")
    names = (BUS, BUS_UNCHECKED, "zeep", "xmlschema", "xmltodict")
    for head in ("message", *names):
        table.add_column(head, justify="right")
    for message, figures in found.items():
        cells = [
            f"{figures['µs'][name]:,.0f}"
            + (f" ({figures['× bus'][name]:.1f}×)" if name in figures["× bus"] else "")
            if name in figures["µs"]
            else ""
            for name in names
        ]
        table.add_row(message, *cells)
    Console(width=120).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.translate", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.3, help="of CPU a variant and round")
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parser.parse_args()
    found = measure(SIZES, options.rounds, options.seconds)
    show(found)
    if options.json:
        options.json.write_text(json.dumps(found, ensure_ascii=False, indent=1))


if __name__ == "__main__":
    main()
