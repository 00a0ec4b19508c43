"""Errors as problems: every class of the tree, in both languages."""

from __future__ import annotations

import inspect

import orjson
import pytest
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.types import Message

from bus.gateway import problems
from bus.gateway.models import AckRequest, Problem
from schemas import errors
from schemas.errors import LgspError, LocalError, PartnerError, TooLarge, Unavailable

CLASSES = [
    each
    for _, each in inspect.getmembers(errors, inspect.isclass)
    if issubclass(each, LgspError) and each not in {LgspError, LocalError, PartnerError}
]


async def answer_to(error: LgspError, lang: problems.Language) -> tuple[Message, Problem]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await problems.respond(
        send,
        error,
        status=error.http_status,
        extra=[],
        path="/api/v1/x",
        correlation_id="ab" * 16,
        lang=lang,
    )
    return sent[0], Problem.model_validate(orjson.loads(sent[1]["body"]))


@pytest.mark.parametrize("error_class", CLASSES, ids=lambda each: each.__name__)
@pytest.mark.parametrize("lang", ["vi", "en"])
async def test_every_error_becomes_a_problem(
    error_class: type[LgspError], lang: problems.Language
) -> None:
    error = error_class("the field is wrong", vi="Trường sai", field="x")
    start, problem = await answer_to(error, lang)
    headers = dict(start["headers"])
    assert start["status"] == problem.status == error_class.http_status
    assert headers[b"content-type"] == b"application/problem+json"
    assert headers[b"content-language"].decode() == lang
    assert (b"retry-after" in headers) == error_class.retryable
    assert problem.type == f"/problems/{error_class.code}"
    assert problem.title == getattr(error_class.title, lang)
    assert problem.detail == {"vi": "Trường sai", "en": "the field is wrong"}[lang]
    assert problem.advice == getattr(error_class.advice, lang)
    assert problem.who_must_act == error_class.actor
    assert (problem.detail_vi, problem.detail_en) == ("Trường sai", "the field is wrong")
    assert problem.context == {"field": "x"}


@pytest.mark.parametrize(("asked", "told"), [(0.01, 1), (1.2, 2), (30, 30)])
def test_retry_after_is_whole_seconds_and_never_none_of_them(asked: float, told: int) -> None:
    assert problems.retry_after(Unavailable(retry_after=asked)) == told


def test_no_retry_after_where_coming_back_will_not_help() -> None:
    assert problems.retry_after(TooLarge()) is None


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", "vi"),
        ("en", "en"),
        ("en-GB,en;q=0.9", "en"),
        ("vi-VN, en", "vi"),
        ("en, vi", "en"),
        ("en;q=0.3, vi;q=0.8", "vi"),
        ("en;q=0", "vi"),
        ("fr, de", "vi"),
        ("*", "vi"),
        ("en;q=nan", "vi"),
        ("en;q=x", "vi"),
        ("," * 5000 + "en", "vi"),
    ],
)
def test_vietnamese_unless_english_is_wanted_more(accept: str, expected: str) -> None:
    assert problems.language(accept) == expected


def test_validation_names_fields_and_never_repeats_the_value() -> None:
    with pytest.raises(ValidationError) as caught:
        AckRequest.model_validate({"result": "bí mật", "recipt": "0912"})
    problem = problems.from_validation(caught.value.errors())
    assert "result" in problem.detail.vi
    assert "recipt" in problem.detail.en
    assert "bí mật" not in problem.detail.en + problem.detail.vi
    assert "0912" not in problem.detail.en + problem.detail.vi


def test_an_error_of_the_framework_keeps_its_status_and_headers() -> None:
    understood = problems.understand(HTTPException(405, headers={"Allow": "GET"}))
    assert understood is not None
    assert understood.status_code == 405
    assert understood.extra == [(b"allow", b"GET")]
    invalid = problems.understand(RequestValidationError([]))
    assert invalid is not None
    assert invalid.status_code == 400


def test_what_nobody_foresaw_is_not_understood() -> None:
    assert problems.understand(KeyError("x")) is None
