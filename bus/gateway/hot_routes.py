"""Routes that need nothing of the framework: found without its routing, a tenth of the price."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.types import ASGIApp, Scope

Direct = Mapping[tuple[str, str], ASGIApp]
"""By method and template: a path, in which `{name}` may stand for whole segments behind the
first."""


@dataclass(frozen=True, slots=True)
class Hot:
    template: str
    app: ASGIApp
    parameters: dict[str, str]


class HotRoutes:
    """All of them. Those with names are told apart by method, first segment and length alone."""

    def __init__(self, direct: Direct) -> None:
        self._exact = {
            key: Hot(key[1], app, {}) for key, app in direct.items() if "{" not in key[1]
        }
        self._named = {
            (method, template.split("/")[1], template.count("/")): (template, app)
            for (method, template), app in direct.items()
            if "{" in template
        }

    def find(self, scope: Scope) -> Hot | None:
        method, path = scope["method"], scope["path"]
        exact = self._exact.get((method, path))
        if exact is not None:
            return exact
        segments = path.split("/")
        if len(segments) < 2:
            return None
        template, app = self._named.get((method, segments[1], len(segments) - 1), ("", None))
        if app is None or not all(segments[1:]):
            return None
        names = zip(template.split("/"), segments, strict=True)
        return Hot(template, app, {name[1:-1]: given for name, given in names if name[:1] == "{"})
