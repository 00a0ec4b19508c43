"""Which language the command line speaks; it is chosen once, before any help text is made."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Literal

from schemas.errors import Text

Lang = Literal["vi", "en"]


def choose(arguments: Sequence[str], environment: Mapping[str, str]) -> Lang:
    """`--lang`, else LGSP_LANG, else English where the system is English, else Vietnamese."""
    for argument, following in pairwise((*arguments, "")):
        given = following if argument == "--lang" else argument.removeprefix("--lang=")
        if argument.startswith("--lang") and given in {"vi", "en"}:
            return "vi" if given == "vi" else "en"
    names = ("LGSP_LANG", "LC_ALL", "LC_MESSAGES", "LANG")
    locale = next((environment[name] for name in names if environment.get(name)), "")
    return "en" if locale.startswith("en") else "vi"


LANG: Lang = choose(sys.argv[1:], os.environ)


def say(vi: str, en: str) -> str:
    """The one of the two that is spoken."""
    return vi if LANG == "vi" else en


def spoken(text: Text) -> str:
    return say(text.vi, text.en)
