"""A province declared in files: YAML read and checked one by one, and written back.

A file holds any of the lists `agencies`, `endpoints`, `routes`, `subscriptions`, `mappings`,
`procedures`, `holidays`, `services`, `grants`, `feeds`, `clients`, and `agencies_from`, the name
of a .csv or .tsv file beside it with the columns code, name and, if wanted, parent, endpoint,
valid_from, valid_to. The lists of all files of a folder belong together.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from pydantic import ValidationError

from bus.ledger.config_store import MODELS, Item, Kind, name_of, to_body, to_province
from bus.ops.province_contracts import path_of, pinned, read_documents
from bus.ops.province_yaml import Place, load, place_of
from schemas.errors import ConfigurationError, Text
from schemas.province import Agency, Province
from schemas.service import Service

LISTS: dict[str, Kind] = {
    "agencies": "agency",
    "endpoints": "endpoint",
    "routes": "route",
    "subscriptions": "subscription",
    "mappings": "mapping",
    "procedures": "procedure",
    "holidays": "holidays",
    "services": "service",
    "grants": "grant",
    "feeds": "feed",
    "clients": "client",
}
_SUFFIXES = {".yaml", ".yml"}
_Dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def read(path: Path) -> Province:
    """What a file, or all YAML files directly in a folder, declare; in order of names.

    Raises ConfigurationError that lists every fault with its file and line.
    """
    return read_with_documents(path)[0]


def read_with_documents(path: Path) -> tuple[Province, dict[str, bytes]]:
    """The same, and the documents of its services' contracts by their SHA-256."""
    reading = _Reading()
    for file in _files(path):
        reading.file(file)
    if reading.faults:
        raise several(reading.faults)
    return to_province(reading.items.values()), reading.documents


def read_text(text: str) -> Province:
    """What YAML typed into a form declares. Raises ConfigurationError as `read` does."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "khai-bao.yaml"
        file.write_text(text, "utf-8")
        return read(file)


def export_text(province: Province) -> str:
    """The same lists in one text, for a form."""
    return "\n".join(export(province).values())


def export(province: Province) -> dict[str, str]:
    """File names and their YAML: `read` of them gives the same province, in order of names.

    The same province always gives the same text. Defaults are left out, and so are agencies that
    a partner's directory brought: nobody declared them.
    """
    declared = tuple(agency for agency in province.agencies if agency.source is None)
    province = province.model_copy(update={"agencies": declared})
    return {
        f"{key}.yaml": _dump(key, sorted(getattr(province, key), key=name_of))
        for key in LISTS
        if getattr(province, key)
    }


def several(faults: list[Text]) -> ConfigurationError:
    """One error of many faults, one on each line."""
    return ConfigurationError(
        "\n".join(fault.en for fault in faults), vi="\n".join(fault.vi for fault in faults)
    )


def _dump(key: str, items: list[Item]) -> str:
    dumped = [_dumped(item) for item in items]
    text: str = yaml.dump(
        {key: dumped}, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=100
    )
    return text


def _dumped(item: Item) -> dict[str, Any]:
    dumped = item.model_dump(mode="json", exclude_defaults=True)
    return dumped | {"contract": path_of(item)} if isinstance(item, Service) else dumped


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    files = sorted(file for file in path.glob("*") if file.suffix in _SUFFIXES)
    if not files:
        raise ConfigurationError(f"no YAML file at {path}", vi=f"không có tệp YAML nào tại {path}")
    return files


@dataclass
class _Reading:
    """Gathers items and faults of all files, so that a person sees every fault at once."""

    items: dict[tuple[str, str], Item] = field(default_factory=dict)
    places: dict[tuple[str, str], Place] = field(default_factory=dict)
    faults: list[Text] = field(default_factory=list)
    documents: dict[str, bytes] = field(default_factory=dict)

    def fault(self, place: Place, vi: str, en: str) -> None:
        self.faults.append(Text(f"{place.vi}: {vi}", f"{place.en}: {en}"))

    def file(self, file: Path) -> None:
        try:
            node, data = load(file)
        except ConfigurationError as error:
            self.faults.append(error.detail)
            return
        for key, value in data.items():
            place = place_of(file, node, (key,))
            if key == "agencies_from" and isinstance(value, str):
                self.table(file.parent / value, place)
            elif key not in LISTS:
                known = ", ".join((*LISTS, "agencies_from"))
                self.fault(
                    place, f"khóa lạ {key!r} (có: {known})", f"unknown key {key!r} ({known})"
                )
            elif not isinstance(value, list):
                self.fault(place, f"{key} phải là danh sách", f"{key} must be a list")
            else:
                for index, item in enumerate(value):
                    where = _InYaml(file, node, (key, index))
                    whole = self.with_contract(file, item, where) if key == "services" else item
                    self.item(LISTS[key], whole, where)

    def with_contract(self, file: Path, item: object, where: _InYaml) -> object:
        """A service with its contract read from the path that stands in YAML."""
        if not isinstance(item, dict) or not isinstance(item.get("contract"), str):
            return item
        main = file.parent / item["contract"]
        try:
            found = read_documents(main)
        except OSError as error:
            why = error.strerror or type(error).__name__
            named = item["contract"]
            self.fault(where.place(("contract",)), f"{named}: {why}", f"{named}: {why}")
            return item
        contract = pinned(main.name, found)
        self.documents |= {contract["documents"][name]: found[name] for name in found}
        return item | {"contract": contract}

    def table(self, file: Path, place: Place) -> None:
        """Agencies from a CSV (`,`) or TSV file."""
        try:
            rows = list(_rows(file))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            self.fault(place, f"không đọc được {file.name}: {error}", f"{file.name}: {error}")
            return
        for line, row in rows:
            filled = {column: text for column, text in row.items() if text}
            self.item("agency", filled, _InTable(file, line))

    def item(self, kind: str, value: object, where: _InYaml | _InTable) -> None:
        try:
            item = MODELS[kind].model_validate(value)
            item = type(item).model_validate_json(to_body(item))  # as it will be stored
        except ValidationError as error:
            for fault in error.errors(include_input=False, include_url=False):
                loc = fault["loc"]
                self.fault(where.place(loc), *explain(kind, loc, fault["type"], fault["msg"]))
            return
        except ValueError as error:  # a value of YAML that JSON does not have
            self.fault(where.place(()), f"không ghi được thành JSON: {error}", f"not JSON: {error}")
            return
        key = (kind, name_of(item))
        place = where.place(())
        if isinstance(item, Agency) and item.source is not None:
            self.fault(
                where.place(("source",)),
                "source do trục ghi khi đồng bộ danh bạ, không khai báo trong tệp",
                "source is written by the bus when it reads a directory, never in files",
            )
        if key in self.places:
            first = self.places[key]
            self.fault(
                place,
                f"{kind} {key[1]} đã được khai báo ở {first.vi}",
                f"{kind} {key[1]} is already declared in {first.en}",
            )
        else:
            self.places[key] = place
            self.items[key] = item


@dataclass(frozen=True, slots=True)
class _InYaml:
    file: Path
    node: yaml.Node
    base: tuple[str | int, ...]

    def place(self, loc: tuple[str | int, ...]) -> Place:
        return place_of(self.file, self.node, (*self.base, *loc))


@dataclass(frozen=True, slots=True)
class _InTable:
    file: Path
    line: int

    def place(self, _loc: tuple[str | int, ...]) -> Place:
        return Place(self.file.name, self.line)


def _rows(file: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and cells of each row; a byte-order mark and empty lines do not matter."""
    delimiter = "\t" if file.suffix == ".tsv" else ","
    with file.open(encoding="utf-8-sig", newline="") as opened:
        reader = csv.DictReader(opened, delimiter=delimiter, restkey="", restval="", strict=True)
        for row in reader:
            cells = {(name or "").strip(): _cell(text) for name, text in row.items()}
            if any(cells.values()):
                yield reader.line_num, cells


def _cell(text: Any) -> str:
    """Surplus cells of a row come as a list: kept, so that the row is refused, not cut."""
    return text.strip() if isinstance(text, str) else " ".join(text).strip()


_VIETNAMESE = {
    "missing": "thiếu",
    "extra_forbidden": "trường không được biết",
    "string_pattern_mismatch": "sai định dạng",
    "date_from_datetime_parsing": "không phải là ngày (năm-tháng-ngày)",
    "literal_error": "giá trị không có trong danh sách cho phép",
    "string_type": "phải là chuỗi ký tự (đặt trong dấu nháy)",
}


def explain(kind: str, loc: tuple[str | int, ...], code: str, message: str) -> tuple[str, str]:
    """A fault found by the model, in Vietnamese and English; never the value itself."""
    name = ".".join(map(str, loc)) or kind
    return (
        f"{kind}, trường {name}: {_VIETNAMESE.get(code, message)}",
        f"{kind}, field {name}: {message}",
    )
