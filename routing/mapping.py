"""Mapping (ánh xạ mã): local codes of a dossier to the national ones, by tables with dates.

Pure: the tables come from the declared configuration, the day from whoever asks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from schemas.agency import parse_code
from schemas.dossier import DossierRecord, Fee
from schemas.errors import ConfigurationError, Text
from schemas.province import Mapping, MappingTable

_WORDS: dict[MappingTable, Text] = {
    "procedure": Text("thủ tục hành chính", "procedure"),
    "agency": Text("cơ quan", "agency"),
    "fee": Text("phí, lệ phí", "fee"),
    "commune": Text("xã, phường", "commune"),
}


@dataclass(frozen=True, slots=True)
class Unmapped:
    """A code that no table translates: the dossier waits until one does."""

    table: MappingTable
    code: str

    @property
    def reason(self) -> Text:
        """Why the delivery is held, and who must act."""
        word = _WORDS[self.table]
        return Text(
            f"Chưa ánh xạ mã {word.vi} {self.code}: quản trị trục bổ sung bảng ánh xạ, hồ sơ sẽ tự"
            " được gửi đi.",
            f"Unmapped {word.en} {self.code}: the administrator adds it to the mapping table, the"
            " dossier then leaves by itself.",
        )


class MappingTables:
    """Every declared mapping, ready to be asked.

    A code that is itself national according to its table stays as it is. A table without entries
    says that everything of its sort is national already; for procedures that is never assumed,
    because a portal refuses a wrong one for good.
    Raises ConfigurationError for two entries of one local code that are in force on the same day,
    for one that ends before it begins, and for a national agency code that is none.
    """

    __slots__ = ("_entries", "_national")

    def __init__(self, entries: Iterable[Mapping]) -> None:
        self._entries: dict[tuple[MappingTable, str], list[Mapping]] = {}
        self._national: dict[MappingTable, set[str]] = {}
        for entry in sorted(entries, key=_since):
            if entry.valid_to is not None and entry.valid_to < _since(entry):
                raise ConfigurationError(
                    f"mapping {entry.name[:80]}: ends before it begins",
                    vi=f"ánh xạ {entry.name[:80]}: hết hiệu lực trước khi có hiệu lực",
                )
            known = self._entries.setdefault((entry.table, _tidied(entry.table, entry.local)), [])
            if known and _reaches(known[-1], _since(entry)):
                raise ConfigurationError(
                    f"mapping {entry.name[:80]}: two entries are in force on the same day",
                    vi=f"ánh xạ {entry.name[:80]}: hai dòng cùng có hiệu lực trong một ngày",
                )
            known.append(entry)
            self._national.setdefault(entry.table, set()).add(_national_of(entry))

    def find(self, table: MappingTable, code: str, on: date) -> str | Unmapped:
        """The national code of `code` on that day."""
        for entry in self._entries.get((table, _tidied(table, code)), ()):
            if _since(entry) <= on and _reaches(entry, on):
                return _national_of(entry)
        national = self._national.get(table)
        if national is None and table != "procedure":
            return code
        return code if national and code in national else Unmapped(table, code)


def map_record(record: DossierRecord, tables: MappingTables, on: date) -> DossierRecord | Unmapped:
    """The record as the national systems know it, or the first code that keeps it here."""

    def national(table: MappingTable, code: str) -> str:
        found = tables.find(table, code, on) if code else code
        if isinstance(found, Unmapped):
            raise _Unknown(found)
        return found

    def fees(local: tuple[Fee, ...]) -> tuple[Fee, ...]:
        return tuple(fee.model_copy(update={"code": national("fee", fee.code)}) for fee in local)

    applicant, supplements = record.applicant, record.supplements
    try:
        return record.model_copy(
            update={
                "procedure": national("procedure", record.procedure),
                "agency": national("agency", record.agency),
                "applicant": applicant.model_copy(
                    update={"commune": national("commune", applicant.commune)}
                ),
                "fees": fees(record.fees),
                "supplements": tuple(
                    each.model_copy(update={"fees": fees(each.fees)}) for each in supplements
                ),
            }
        )
    except _Unknown as unknown:
        return unknown.unmapped


class _Unknown(Exception):
    def __init__(self, unmapped: Unmapped) -> None:
        super().__init__(unmapped.code)
        self.unmapped = unmapped


def _tidied(table: MappingTable, code: str) -> str:
    return code.upper() if table == "agency" else code


def _national_of(entry: Mapping) -> str:
    if entry.table != "agency":
        return entry.national
    try:
        return parse_code(entry.national)
    except ValueError:
        raise ConfigurationError(
            f"mapping {entry.name[:80]}: {entry.national[:50]!r} is not an agency code",
            vi=f"ánh xạ {entry.name[:80]}: {entry.national[:50]!r} không phải mã cơ quan",
        ) from None


def _since(entry: Mapping) -> date:
    return entry.valid_from or date.min


def _reaches(entry: Mapping, day: date) -> bool:
    return entry.valid_to is None or day <= entry.valid_to
