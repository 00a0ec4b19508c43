"""The profile exchange on the wire: what is listed, and each item as record or step.

Values are text, numbers now and then, `""` or null where there is nothing; times are
`yyyy/MM/dd HH:mm:ss`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from adapters.profiles import DETAIL, garbage, read_reply, text_of
from schemas.adapter import ListedDossier
from schemas.agency import parse_code
from schemas.dossier import DossierRecord, DossierStatus, Form, Step
from schemas.dossier.code import parse_dossier_code
from schemas.dossier.life import STATUS_NUMBERS
from schemas.dossier.reconcile import Seen, row_facts
from schemas.errors import InvalidRequest

Json = Mapping[str, Any]
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Item:
    """One change of a dossier, and the agency that tells it."""

    agency: str
    item: DossierRecord | Step


def read_item(body: bytes) -> Item:
    """Raises PartnerGarbage when it is not the protocol, InvalidRequest when the dossier is at
    fault, with the names of the fields and never their values.
    """
    model = read_reply(body, DETAIL)
    if not isinstance(model, dict):
        raise garbage("the detail is no object")
    try:
        agency = parse_code(text_of(model.get("from_unit_code")))
    except ValueError:
        raise _invalid(["from_unit_code"], "from_unit_code is not an agency code") from None
    match text_of(model.get("type")):
        case "status":
            return Item(agency, _validated(Step, _step(model)))
        case "profile":
            return Item(agency, _validated(DossierRecord, _record(model, agency)))
        case _:
            raise _invalid(["type"], "type is neither profile nor status")


def read_listing(body: bytes) -> tuple[list[ListedDossier], str]:
    """One page of a period's dossiers, and after which code the next one begins (""; the last).

    Raises PartnerGarbage.
    """
    rows = read_reply(body, "profiles")
    after = text_of(read_reply(body, "next"))
    if not isinstance(rows, list):
        raise garbage("the list of dossiers is no list")
    return [_listed(row) for row in rows], after


def _listed(row: Any) -> ListedDossier:
    if not isinstance(row, dict):
        raise garbage("a row of the list is no object")
    try:
        code = parse_dossier_code(text_of(row.get("source_id")))
        status = _status(row)
        seen = Seen(
            DossierStatus(status["status"]) if "status" in status else None,
            changed=_moment(row, "time_of_process"),
            steps=_number(row, "steps"),
            facts=row_facts(
                procedure=text_of(row.get("service_code")),
                received=_moment(row, "receive_date"),
                due=_moment(row, "due_date"),
            ),
            pending=_truth(row, "waiting"),
        )
        own = str(status.get("local_status", ""))
        return ListedDossier(code, parse_code(text_of(row.get("from_unit_code"))), seen, own)
    except (ValueError, InvalidRequest):
        raise garbage("a row of the list cannot be read") from None


def _invalid(fields: Sequence[str], en: str) -> InvalidRequest:
    named = ", ".join(dict.fromkeys(fields))
    return InvalidRequest(en, vi=f"Trường không hợp lệ: {named}", field=fields[0])


def _validated(model: type[Model], values: Json) -> Model:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        faults = error.errors(include_input=False, include_url=False)[:10]
        fields = [".".join(map(str, fault["loc"])) or "profile" for fault in faults]
        told = "; ".join(f"{f}: {e['msg']}" for f, e in zip(fields, faults, strict=True))
        raise _invalid(fields, told) from None


def _moment(source: Json, name: str) -> datetime | None:
    try:
        return Form.YEAR_FIRST.read(text_of(source.get(name)))
    except ValueError:
        raise _invalid([name], f"{name}: a time is written yyyy/MM/dd HH:mm:ss") from None


def _status(source: Json) -> Json:
    """The software's own code, where it is none of the list's."""
    text = text_of(source.get("status_profile"))
    return {"status": int(text)} if text in STATUS_NUMBERS else {"local_status": text}


def _truth(source: Json, name: str) -> bool:
    return text_of(source.get(name)).lower() in {"1", "true"}


def _number(source: Json, name: str) -> int | None:
    """None when nothing stands there."""
    text = text_of(source.get(name))
    if not text:
        return None
    if not (text.isascii() and text.isdecimal()):
        raise _invalid([name], f"{name}: a whole number is expected")
    return int(text)


def _list(source: Json, name: str, read: Callable[[Json], Json]) -> list[Json]:
    rows = source.get(name) or []
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise _invalid([name], f"{name}: a list of objects is expected")
    return [_given(read(row)) for row in rows]


def _given(values: Json) -> dict[str, Any]:
    """Without what the software leaves out, so that the model's own defaults stand."""
    return {name: value for name, value in values.items() if value not in (None, "")}


def _step(model: Json) -> Json:
    return _given(
        {
            "code": text_of(model.get("source_id")),
            "id": text_of(model.get("step_id")),
            "at": _moment(model, "time_of_process"),
            "by": text_of(model.get("process_officials")),
            "title": text_of(model.get("process_position")),
            "department": text_of(model.get("process_department")),
            "content": text_of(model.get("process_content")),
            **_status(model),
            "started": _moment(model, "start_time"),
            "due": _moment(model, "due_time"),
        }
    )


def _record(model: Json, agency: str) -> Json:
    profile = model.get("profile")
    if not isinstance(profile, dict):
        raise _invalid(["profile"], "profile is no object")
    return _given(
        {
            "code": text_of(model.get("source_id")),
            "nation_code": text_of(model.get("ref_code")),
            **_status(model),
            "agency": agency,
            "agency_name": text_of(profile.get("unit_name")),
            "procedure": text_of(profile.get("service_code")),
            "procedure_name": text_of(profile.get("service_name")),
            "sector": text_of(profile.get("domain_code")),
            "sector_name": text_of(profile.get("domain_name")),
            "channel": _number(profile, "channel"),
            "applicant": _applicant(profile),
            "summary": text_of(profile.get("brief_note")),
            "note": text_of(profile.get("note")),
            "submitted": _moment(profile, "submit_date"),
            "received": _moment(profile, "receive_date"),
            "due": _moment(profile, "due_date"),
            "finished": _moment(profile, "finish_date"),
            "returned": _moment(profile, "release_date"),
            "refused": _moment(profile, "refuse_date"),
            "by_post": _truth(profile, "via_postal"),
            "has_digitised": _truth(profile, "digitised"),
            "verified_account": _truth(profile, "verified"),
            "online_payment": _number(profile, "payment_online"),
            "submitted_papers": _list(profile, "attachments", _submitted),
            "result_papers": _list(profile, "results", _result),
            "fees": _list(profile, "fees", _fee),
            "supplements": _list(profile, "supplements", _supplement),
        }
    )


def _applicant(profile: Json) -> Json:
    return _given(
        {
            "kind": _number(profile, "applicants_type"),
            "name": text_of(profile.get("applicants_name")),
            "paper_number": text_of(profile.get("applicants_id_number")),
            "phone": text_of(profile.get("tel_no")),
            "email": text_of(profile.get("email")),
            "commune": text_of(profile.get("commune_code")),
        }
    )


def _submitted(row: Json) -> Json:
    return {
        "id": text_of(row.get("file_id")),
        "name": text_of(row.get("file_name")),
        "component": text_of(row.get("component_code")),
        "url": text_of(row.get("file_url")),
        "digitised": _truth(row, "digitised"),
    }


def _result(row: Json) -> Json:
    return {
        "id": text_of(row.get("file_id")),
        "name": text_of(row.get("file_name")),
        "url": text_of(row.get("file_url")),
        "result_code": text_of(row.get("result_code")),
    }


def _fee(row: Json) -> Json:
    return {
        "code": text_of(row.get("fee_code")),
        "name": text_of(row.get("fee_name")),
        "amount": _number(row, "amount"),
        "collected_at": _number(row, "collected_at"),
    }


def _supplement(row: Json) -> Json:
    return {
        "id": text_of(row.get("id")),
        "asked_by": text_of(row.get("asked_by")),
        "request": text_of(row.get("content")),
        "asked_at": _moment(row, "request_date"),
        "received_at": _moment(row, "receive_date"),
        "complete": _truth(row, "done"),
        "due_before": _moment(row, "due_before"),
        "due_after": _moment(row, "due_after"),
    }
