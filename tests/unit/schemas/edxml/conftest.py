"""The vectors of tests/vectors/edxml, by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

VECTORS = Path(__file__).parents[3] / "vectors" / "edxml"
Vector = Callable[[str], bytes]


@pytest.fixture
def vector() -> Vector:
    """Bytes of one vector, `vector("status_01")`."""
    return lambda name: (VECTORS / f"{name}.edxml").read_bytes()
