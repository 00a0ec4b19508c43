"""An hour of labelled faults, so many times faster: `python -m tests.proof.faults_hour`.

Every kind of fault comes several times, at random moments, several at once; what the alerts made of
them is printed as JSON: how soon each was named (in seconds of the hour), precision (alerts that
name a fault that is there) and recall (faults that are named in time).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from bus.ledger.alerts import AlertRow
from schemas.instant import SECOND
from tests.proof.faults import Kind, Label, World, kinds, match, rhythm, world

HOUR = 3_600.0
ALLOWED = 30.0
"""Seconds of the hour within which a fault is named, beyond what its rule has to wait for."""

TAIL = 240.0
"""Seconds of the hour for which an alert may still come after its fault was healed: what it counts
is judged over a window.
"""


async def _play(one: World, kind: Kind, scale: float, until: float, seed: int) -> list[Label]:
    """The fault comes and goes until the hour is over."""
    chance = random.Random(f"{seed} {kind.name}")
    labels: list[Label] = []
    while True:
        await asyncio.sleep(chance.uniform(150, 500) / scale)
        most = (kind.patience + 5 * ALLOWED) / scale + kind.lag
        if time.monotonic() + most > until:
            return labels
        label = Label(kind, one.ledger.clock())
        labels.append(label)
        await kind.inject(one)
        end = time.monotonic() + most
        while time.monotonic() < end and label.raised_at is None:
            await asyncio.sleep(0.1)
            for row in await one.ledger.alerts.raised(limit=100):
                match([label], row.rule, row.culprit, row.raised_at or 0, 0)
        await asyncio.sleep(chance.uniform(0, 60) / scale)
        await kind.heal(one)
        label.healed_at = one.ledger.clock()
        while time.monotonic() < until and await _still(one, kind):
            await asyncio.sleep(0.2)


async def _still(one: World, kind: Kind) -> bool:
    return any(row.culprit == kind.culprit for row in await one.ledger.alerts.unresolved())


def judge(labels: list[Label], rows: list[AlertRow], scale: float) -> dict[str, Any]:
    tail = int(TAIL / scale * SECOND)
    wrong = [
        row for row in rows if not match(labels, row.rule, row.culprit, row.raised_at or 0, tail)
    ]
    found = [_told(label, scale) for label in sorted(labels, key=lambda each: each.begun_at)]
    good = [each for each in found if each["named"]]
    beyond = [each["beyondItsRule"] for each in good]
    return {
        "kinds": len({label.kind.name for label in labels}),
        "faults": len(labels),
        "named": len(good),
        "recall": round(len(good) / len(labels), 4),
        "alerts": len(rows),
        "wrongAlerts": [f"{row.key} ({row.culprit})" for row in wrong],
        "precision": round(1 - len(wrong) / len(rows), 4) if rows else None,
        "secondsBeyondRule": {
            "median": round(statistics.median(beyond), 1) if beyond else None,
            "most": max(beyond, default=None),
        },
        "each": found,
    }


def _told(label: Label, scale: float) -> dict[str, Any]:
    told: dict[str, Any] = {"kind": label.kind.name, "culprit": label.kind.culprit, "named": False}
    if label.raised_at is None:
        return told
    after = (label.raised_at - label.begun_at) / SECOND * scale
    beyond = max(0.0, after - label.kind.patience - label.kind.lag * scale)
    return told | {
        "named": beyond <= ALLOWED,
        "rule": label.rule,
        "after": round(after, 1),
        "beyondItsRule": round(beyond, 1),
    }


async def _hour(folder: Path, seconds: float, seed: int) -> dict[str, Any]:
    scale = HOUR / seconds
    async with world(folder, scale=scale) as one:
        await rhythm(one, 600 / scale + 60)
        sent, until = one.sent, time.monotonic() + seconds
        plays = [_play(one, kind, scale, until, seed) for kind in kinds(one)]
        labels = [label for played in await asyncio.gather(*plays) for label in played]
        rows = await one.ledger.alerts.raised(limit=100_000)
        verdict = judge(labels, rows, scale)
        return {
            "command": f"python -m tests.proof.faults_hour --seconds {seconds:g} --seed {seed}",
            "scale": scale,
            "messages": one.sent - sent,
            "longestStallSeconds": round(one.stall, 2),
            **verdict,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300, help="real length of the hour")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        verdict = asyncio.run(_hour(Path(folder), given.seconds, given.seed))
    text = json.dumps(verdict, indent=2, ensure_ascii=False)
    print(text)
    if given.out:
        given.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
