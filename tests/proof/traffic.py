"""What a province's systems tell each other: documents and updates, statuses, dossiers."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, timedelta

from tests.proof.load import Key
from tests.proof.stand import AGENCIES, PORTAL, SYSTEMS

A_DAY = 9_999  # dossiers: their ordinals have four digits
FIRST_DAY = date(2026, 1, 1)
BLOB = 100_000  # bytes of a file: its packet is kept beside the ledger


def keys(seed: int, *, prefix: str = "vb") -> Iterator[Key]:
    """Endless: of ten keys six are documents (one of them to two agencies, one with a file, one
    large), two are statuses about others' documents, two are dossiers.
    """
    dice = random.Random(seed)
    number = 0
    while True:
        home, to, other = dice.sample(SYSTEMS, 3)
        sender = AGENCIES[home]
        name = f"{prefix}-{seed}-{number:06d}"
        match number % 10:
            case 0 | 5:
                day = FIRST_DAY + timedelta(days=number // A_DAY)
                code = f"{sender}-{day:%y%m%d}-{number % A_DAY + 1:04d}"
                yield Key(code, "dossier", (), (PORTAL,), sender)
            case 3 | 8:
                yield Key(name, "status", (AGENCIES[to],), (to,), sender, home)
            case 1:
                both = (AGENCIES[to], AGENCIES[other])
                yield Key(name, "document", both, (to, other), sender, home)
            case 4:
                yield Key(name, "document", (AGENCIES[to],), (to,), sender, home, size=6_000)
            case 7 if number % 50 == 7:
                yield Key(name, "document", (AGENCIES[to],), (to,), sender, home, size=BLOB)
            case _:
                yield Key(name, "document", (AGENCIES[to],), (to,), sender, home)
        number += 1
