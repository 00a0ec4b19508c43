"""Proof: over the axis nothing is lost or doubled, and every status is on its document."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.proof.axis import CHAINS, PROVINCES, Systems, documents, facts, run


@pytest.mark.crash
@pytest.mark.timeout(300)
async def test_two_buses_and_the_hub_are_killed_and_every_status_is_on_its_document(
    tmp_path: Path,
) -> None:
    verdict = await run(tmp_path, 120, seconds=150)  # a deadline, not a promise
    assert verdict["clean"], json.dumps(verdict, ensure_ascii=False, indent=1)
    assert verdict["recalls"]
    assert set(verdict["kills"]) == {"hub", *(f"bus {system}" for system in PROVINCES)}


def test_the_judge_sees_what_is_lost_doubled_disordered_and_unknown() -> None:
    systems = Systems()
    first, update, other, strange = (
        facts(packet)
        for document in [next(documents(1))]
        for packet in (
            document.packet(),
            document.packet(2),
            document.packet(name="khác"),
            document.status(CHAINS[0][0], "H99.01", "H38.01"),
        )
    )
    systems.told["H99.01"] = Counter((first, update, other))
    systems.got["H99.01"] = [update, first, first, strange]
    verdict = systems.judge()
    kinds = ("lost", "doubled", "unknown", "disordered")
    assert [verdict[kind] for kind in kinds] == [1, 1, 1, 1]
