"""Hot routes are found by whole segments, and leave everything else to the framework."""

from __future__ import annotations

import pytest
from starlette.types import Receive, Scope, Send

from bus.gateway.hot_routes import HotRoutes


async def one(scope: Scope, receive: Receive, send: Send) -> None: ...
async def two(scope: Scope, receive: Receive, send: Send) -> None: ...


ROUTES = HotRoutes({("POST", "/a/b"): one, ("POST", "/s/{service}/{operation}"): two})


def test_names_are_told_by_their_place() -> None:
    exact = ROUTES.find({"method": "POST", "path": "/a/b"})
    named = ROUTES.find({"method": "POST", "path": "/s/cong-dan@2/Tra cứu"})
    assert exact is not None
    assert (exact.app, exact.template, exact.parameters) == (one, "/a/b", {})
    assert named is not None
    assert (named.app, named.template) == (two, "/s/{service}/{operation}")
    assert named.parameters == {"service": "cong-dan@2", "operation": "Tra cứu"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/s/x/y"),
        ("POST", "/s/x"),
        ("POST", "/s/x/y/z"),
        ("POST", "/s/x/"),
        ("POST", "/s//y"),
        ("POST", "//x/y"),
        ("POST", "/t/x/y"),
        ("POST", ""),
        ("POST", "*"),
    ],
)
def test_what_is_not_one_of_them_is_left_alone(method: str, path: str) -> None:
    assert ROUTES.find({"method": method, "path": path}) is None
