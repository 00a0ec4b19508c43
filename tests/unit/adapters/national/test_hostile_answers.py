"""Whatever a register answers, a codec gives canonical JSON or an error of ours, nothing else."""

from __future__ import annotations

import inspect
import json
import re
from contextlib import suppress
from importlib import import_module
from typing import Any

import jsonschema
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.national import national_services
from adapters.national.service import Answer
from schemas.errors import ConfigurationError, PartnerError
from tests.unit.adapters.national.test_national import config_of

TEXTS = ("", "0", "1", "00", "-1", "Session", "thành công", "31/01/2020", "Y", "a; b", "Done")
NUMBERS = st.booleans() | st.integers() | st.floats()
LEAVES = st.none() | NUMBERS | st.sampled_from(TEXTS) | st.text()


def operations(name: str) -> tuple[Any, ...]:
    module = import_module(f"adapters.national.{name.replace('-', '_')}")
    kind = next(each for key, each in vars(module).items() if key.endswith("Config"))
    found: tuple[Any, ...] = module.operations(kind.model_validate(config_of(name)))
    return found


def answers(name: str) -> st.SearchStrategy[bytes]:
    """JSON of the names that the codec reads, in any shape; and anything at all."""
    codec = import_module(f"adapters.national.{name.replace('-', '_')}.codec")
    names = sorted(set(re.findall(r'"([A-Za-z_]{2,30})"', inspect.getsource(codec))))
    keys = st.sampled_from(names)
    values = st.recursive(
        LEAVES,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=6),
        max_leaves=25,
    )
    shaped = st.dictionaries(keys, values, max_size=8) | values
    return shaped.map(json.dumps).map(str.encode) | st.binary(max_size=200)


@pytest.mark.parametrize("name", national_services())
def test_no_answer_breaks_a_codec(name: str) -> None:
    known = operations(name)

    @settings(max_examples=80, deadline=None)
    @given(body=answers(name), status=st.sampled_from([200, 200, 200, 204, 302, 400, 500, 503]))
    def judge(body: bytes, status: int) -> None:
        answer = Answer(status, body)
        for operation in known:
            operation.denied(answer)
            with suppress(PartnerError, ConfigurationError):
                shown = operation.read(answer).model_dump(mode="json", by_alias=True)
                jsonschema.validate(shown, operation.declared().reply)
                orjson.dumps(shown)

    judge()
