"""Canonical JSON of national services: camelCase, ISO dates, null for what has no value."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError
from pydantic.alias_generators import to_camel

from adapters.folding import fold
from schemas.errors import ContractMismatch

PersonNumber = Annotated[str, StringConstraints(pattern=r"^[0-9]{12}$")]
"""Số định danh cá nhân."""
OldNumber = Annotated[str, StringConstraints(pattern=r"^[0-9]{9}$")]
"""Số chứng minh nhân dân."""
Name = Annotated[
    str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f<>&]+$")
]
Birth = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}(-[0-9]{2}-[0-9]{2})?$")]
"""A date, or the year where no more is known."""


class Part(BaseModel):
    """Unknown names are refused; values are in no repr and no error, for they are personal data."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        frozen=True,
        extra="forbid",
        str_strip_whitespace=True,
        hide_input_in_errors=True,
    )

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        return ((None, name) for name in sorted(self.model_fields_set))


Model = TypeVar("Model", bound=Part)


def read(model: type[Model], json: object) -> Model:
    """Raises ContractMismatch with the path of the first fault, never with its value."""
    try:
        return model.model_validate(json)
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False, include_context=False)[0]
        path = "/" + "/".join(map(str, fault["loc"]))
        raise ContractMismatch(
            f"{path}: {fault['msg']}", vi=f"{path}: {fault['msg']}", path=path, rule=fault["type"]
        ) from None  # pydantic's own error repeats values


def iso_day(text: str, order: str = "dmy", mark: str = "/") -> str | None:
    """A partner's date as ISO; None for what is none, as "", "00000000" or text.

    `order` and `mark` say how it is written: "dmy" with "/", "ymd" with "" for 20260131.
    """
    text = text.strip()
    pieces = text.split(mark) if mark else [text[:4], text[4:6], text[6:8]]
    if len(pieces) != 3 or (not mark and len(text) != 8):
        return None
    if order == "dmy":
        pieces.reverse()
    try:
        return date(*(int(piece) for piece in pieces)).isoformat()
    except ValueError:
        return None


def blank_is_none(text: object) -> str | None:
    """Partners write what has no value as "", " ", null, or not at all."""
    if text is None or isinstance(text, (dict, list)):
        return None
    return str(text).strip() or None


def says(said: object, *parts: str) -> bool:
    """Whether a partner's text holds one of these, in whatever normal form, case and marks."""
    text = fold(str(said or ""))
    return any(fold(part) in text for part in parts)
