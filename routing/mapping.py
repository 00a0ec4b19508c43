"""Mapping (ánh xạ mã): local codes of a dossier to national ones and back, by tables with dates.

Pure: the tables come from the declared configuration, the day from whoever asks.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from schemas.agency import parse_code
from schemas.dossier import DossierRecord, DossierStatus, Fee, Told
from schemas.dossier.life import STATUS_NUMBERS
from schemas.errors import ConfigurationError, Text
from schemas.flows import PostalOrder, PostalParty
from schemas.province import Mapping, MappingTable

_WORDS: dict[MappingTable, Text] = {
    "procedure": Text("thủ tục hành chính", "procedure"),
    "agency": Text("cơ quan", "agency"),
    "fee": Text("phí, lệ phí", "fee"),
    "commune": Text("xã, phường", "commune"),
    "postal": Text("tỉnh, huyện của bưu chính", "province or district of the post"),
    "status": Text("trạng thái", "status"),
}


@dataclass(frozen=True, slots=True)
class Unmapped:
    """A code that no table translates: the dossier waits until one does."""

    table: MappingTable
    code: str
    locals: tuple[str, ...] = ()  # on the way back: several local codes mean this national one

    @property
    def reason(self) -> Text:
        """Why the delivery is held, and who must act."""
        word = _WORDS[self.table]
        if self.locals:
            some = ", ".join(self.locals[:5])
            return Text(
                f"Mã {word.vi} quốc gia {self.code} ứng với nhiều mã nội bộ ({some}): quản trị trục"
                " chỉ để một mã còn hiệu lực, hồ sơ sẽ tự được gửi đi.",
                f"The national {word.en} {self.code} is several local ones ({some}): the"
                " administrator leaves one in force, the dossier then leaves by itself.",
            )
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
    because a portal refuses a wrong one for good, nor for the codes of the post, whose numbers are
    the state's numbers of other places.
    Statuses are told apart by agency: see `status`.
    Raises ConfigurationError for two entries of one local code that are in force on the same day,
    for one that ends before it begins, and for a national agency code that is none.
    """

    __slots__ = ("_counting", "_entries", "_national")

    def __init__(self, entries: Iterable[Mapping]) -> None:
        self._entries: dict[tuple[MappingTable, str, str], list[Mapping]] = {}
        self._national: dict[MappingTable, set[str]] = {}
        self._counting: set[str] = set()  # agencies with numbers of their own for statuses
        for entry in sorted(entries, key=_since):
            if entry.valid_to is not None and entry.valid_to < _since(entry):
                raise ConfigurationError(
                    f"mapping {entry.name[:80]}: ends before it begins",
                    vi=f"ánh xạ {entry.name[:80]}: hết hiệu lực trước khi có hiệu lực",
                )
            known = self._entries.setdefault(_key(entry), [])
            if known and _reaches(known[-1], _since(entry)):
                raise ConfigurationError(
                    f"mapping {entry.name[:80]}: two entries are in force on the same day",
                    vi=f"ánh xạ {entry.name[:80]}: hai dòng cùng có hiệu lực trong một ngày",
                )
            known.append(entry)
            self._national.setdefault(entry.table, set()).add(_national_of(entry))
            if entry.table == "status" and entry.local.isdecimal():
                self._counting.add(_of(entry))

    def find(self, table: MappingTable, code: str, on: date) -> str | Unmapped:
        """The national code of `code` on that day."""
        found = self._in_force(table, "", code, on)
        if found is not None:
            return found
        national = self._national.get(table)
        if table == "postal":
            return Unmapped(table, code)
        if national is None and table != "procedure":
            return code
        return code if national and code in national else Unmapped(table, code)

    def status(self, agencies: Sequence[str], code: str, on: date) -> DossierStatus | Unmapped:
        """What an agency's own code of a status means.

        `agencies`: all codes of the agency and of those above it, nearest first; the nearest that
        lists the code decides, and in the end what is listed for no agency in particular.  A number
        1-10 that nobody lists is the national one, unless one of them lists numbers: then all its
        numbers are its own.
        """
        for agency in (*(each.upper() for each in agencies), ""):
            found = self._in_force("status", agency, code, on)
            if found is not None:
                return DossierStatus(int(found))
        own = not self._counting.isdisjoint({*(each.upper() for each in agencies), ""})
        if code in STATUS_NUMBERS and not own:
            return DossierStatus(int(code))
        return Unmapped("status", code)

    def _in_force(self, table: MappingTable, agency: str, code: str, on: date) -> str | None:
        for entry in self._entries.get((table, agency, _tidied(table, code)), ()):
            if _since(entry) <= on and _reaches(entry, on):
                return _national_of(entry)
        return None

    def local(self, table: MappingTable, code: str, on: date) -> str | Unmapped:
        """The local code of the national `code` on that day.

        A table without entries says that local codes are the national ones, for procedures too:
        what comes from a portal is national for certain.
        """
        if table not in self._national or (table, "", _tidied(table, code)) in self._entries:
            return code
        tidied = _tidied(table, code)
        found = sorted(
            entry.local
            for (of, *_), entries in self._entries.items()
            if of == table
            for entry in entries
            if _national_of(entry) == tidied and _since(entry) <= on and _reaches(entry, on)
        )
        if len(found) == 1:
            return found[0]
        return Unmapped(table, code, tuple(found))


def map_status(item: Told, tables: MappingTables, agencies: Sequence[str], on: date) -> Told:
    """With the national status in place of the sender's own, which stays beside it; unmapped
    where no table knows it. What names both is taken at its word. `agencies`: as in
    `MappingTables.status`.
    """
    if item.status and item.local_status:
        return item
    told = item.local_status or f"{item.status:d}"
    found = tables.status(agencies, told, on)
    if isinstance(found, Unmapped):
        return item.model_copy(update={"status": DossierStatus.UNMAPPED, "local_status": told})
    if found is item.status:
        return item
    return item.model_copy(update={"status": found, "local_status": told})


def map_record(record: DossierRecord, tables: MappingTables, on: date) -> DossierRecord | Unmapped:
    """The record as the national systems know it, or the first code that keeps it here."""
    return _translated(record, lambda table, code: tables.find(table, code, on))


def unmap_record(
    record: DossierRecord, tables: MappingTables, on: date
) -> DossierRecord | Unmapped:
    """A record of a portal as the agency's own system knows it, or what keeps it here.

    An agency that the tables do not know stays as it is: the record has found its way to it.
    """

    def own(table: MappingTable, code: str) -> str | Unmapped:
        found = tables.local(table, code, on)
        return code if table == "agency" and isinstance(found, Unmapped) else found

    return _translated(record, own)


def map_order(order: PostalOrder, tables: MappingTables, on: date) -> PostalOrder | Unmapped:
    """The order with the post's own codes of provinces and districts."""

    def party(one: PostalParty | None) -> PostalParty | None:
        if one is None:
            return None
        codes = {"province": one.province, "district": one.district}
        mapped = {
            name: _known(tables.find("postal", code, on)) if code else ""
            for name, code in codes.items()
        }
        return one.model_copy(update=mapped)

    try:
        return order.model_copy(
            update={"sender": party(order.sender), "receiver": party(order.receiver)}
        )
    except _Unknown as unknown:
        return unknown.unmapped


def _translated(
    record: DossierRecord, translate: Callable[[MappingTable, str], str | Unmapped]
) -> DossierRecord | Unmapped:
    def other(table: MappingTable, code: str) -> str:
        return _known(translate(table, code)) if code else code

    def fees(some: tuple[Fee, ...]) -> tuple[Fee, ...]:
        return tuple(fee.model_copy(update={"code": other("fee", fee.code)}) for fee in some)

    applicant, supplements = record.applicant, record.supplements
    try:
        return record.model_copy(
            update={
                "procedure": other("procedure", record.procedure),
                "agency": other("agency", record.agency),
                "applicant": applicant.model_copy(
                    update={"commune": other("commune", applicant.commune)}
                ),
                "fees": fees(record.fees),
                "supplements": tuple(
                    each.model_copy(update={"fees": fees(each.fees)}) for each in supplements
                ),
            }
        )
    except _Unknown as unknown:
        return unknown.unmapped


def _known(found: str | Unmapped) -> str:
    """Raises _Unknown."""
    if isinstance(found, Unmapped):
        raise _Unknown(found)
    return found


class _Unknown(Exception):
    def __init__(self, unmapped: Unmapped) -> None:
        super().__init__(unmapped.code)
        self.unmapped = unmapped


def _key(entry: Mapping) -> tuple[MappingTable, str, str]:
    return entry.table, _of(entry), _tidied(entry.table, entry.local)


def _of(entry: Mapping) -> str:
    return (entry.agency or "").upper()


def _tidied(table: MappingTable, code: str) -> str:
    """Vietnamese words of a status in one form of their marks."""
    if table == "status":
        return unicodedata.normalize("NFC", code)
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
