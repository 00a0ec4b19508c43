"""A large packet takes no more memory than a small one, through every door and way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.doors import measure

PACKET, MOST = 64, 48  # MB


@pytest.mark.timeout(300)
async def test_every_door_is_flat(tmp_path: Path) -> None:
    rows = await measure([PACKET], tmp_path)
    assert len(rows) == 14
    grew = {step: growth for _, step, _, growth in rows}
    assert {step: growth for step, growth in grew.items() if growth >= MOST} == {}
    assert any(growth > 0 for growth in grew.values()), "nothing was measured"
