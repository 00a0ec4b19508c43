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
    and for a national agency code that is none.
    """

    __slots__ = ("_entries", "_national")

    def __init__(self, entries: Iterable[Mapping]) -> None:
        self._entries: dict[tuple[MappingTable, str], list[Mapping]] = {}
        self._national: dict[MappingTable, set[str]] = {}
        for entry in sorted(entries, key=lambda each: each.valid_from or date.min):
            known = self._entries.setdefault((entry.table, _tidied(entry.table, entry.local)), [])
            if known and _reaches(known[-1], entry.valid_from or date.min):
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
    found: dict[str, str] = {}
    wanted: list[tuple[str, MappingTable, str]] = [
        ("procedure", "procedure", record.procedure),
        ("agency", "agency", record.agency),
    ]
    if record.applicant.commune:
        wanted.append(("commune", "commune", record.applicant.commune))
    for name, table, code in wanted:
        national = tables.find(table, code, on)
        if isinstance(national, Unmapped):
            return national
        found[name] = national
    fees = _fees(record.fees, tables, on)
    if isinstance(fees, Unmapped):
        return fees
    supplements = []
    for each in record.supplements:
        asked = _fees(each.fees, tables, on)
        if isinstance(asked, Unmapped):
            return asked
        supplements.append(each.model_copy(update={"fees": asked}))
    commune = found.pop("commune", record.applicant.commune)
    applicant = record.applicant.model_copy(update={"commune": commune})
    return record.model_copy(
        update={
            **found,
            "applicant": applicant,
            "fees": fees,
            "supplements": tuple(supplements),
        }
    )


def _fees(fees: tuple[Fee, ...], tables: MappingTables, on: date) -> tuple[Fee, ...] | Unmapped:
    mapped = []
    for fee in fees:
        national = tables.find("fee", fee.code, on)
        if isinstance(national, Unmapped):
            return national
        mapped.append(fee.model_copy(update={"code": national}))
    return tuple(mapped)


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
