"""What is told to the public of a dossier's progress (công khai tiến độ giải quyết hồ sơ).

Without a choice nothing personal is told: neither the applicant nor any text that somebody wrote
freely, for such texts name people.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import BaseModel

from schemas.dossier.life import TITLES, DossierStatus
from schemas.dossier.model import Applicant, DossierRecord, Step

RECORD_FIELDS = (
    "nationCode",
    "procedure",
    "procedureName",
    "sector",
    "sectorName",
    "agency",
    "agencyName",
    "channel",
    "received",
    "due",
    "finished",
    "returned",
)
STEP_FIELDS = ("id", "at", "department", "started", "due")
ALWAYS = ("code", "status")
"""Fields of both that are told in any case; the status in words beside its number."""

Kind = Literal["dossier", "step"]


def _names(model: type[BaseModel]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


KNOWN: Mapping[Kind, frozenset[str]] = {
    "dossier": frozenset(
        (_names(DossierRecord) - {"applicant"})
        | {f"applicant.{name}" for name in _names(Applicant)}
    ),
    "step": frozenset(_names(Step)),
}
"""What may be chosen; of the applicant each field by itself, as `applicant.name`."""


def progress(
    kind: Kind, item: Mapping[str, Any], fields: Iterable[str] | None = None
) -> dict[str, Any]:
    """What is told of a canonical record or step (names by alias). `fields` are of KNOWN."""
    if fields is None:
        fields = RECORD_FIELDS if kind == "dossier" else STEP_FIELDS
    title = TITLES[DossierStatus(item["status"])]
    told = {name: item[name] for name in ALWAYS}
    told |= {"statusVi": title.vi, "statusEn": title.en}
    for name in fields:
        outer, _, inner = name.partition(".")
        if inner:
            told.setdefault(outer, {})[inner] = item[outer][inner]
        else:
            told[outer] = item[outer]
    return told
