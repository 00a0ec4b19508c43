"""Reports of reconciliations as JSON, and where the last one of each endpoint is kept."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from bus.engine.reconcile import Discrepancy, Report
from schemas.instant import to_iso

COLUMNS = ("endpoint", "code", "agency", "side", "fault", "fields", "remedy", "done", "why")


def to_json(report: Report) -> dict[str, Any]:
    return {
        "endpoint": report.endpoint,
        "beganAt": to_iso(report.began_at),
        "finishedAt": to_iso(report.finished_at),
        "finishedAtMicroseconds": report.finished_at,
        "dryRun": report.dry_run,
        "compared": report.compared,
        "onTheirWay": report.on_their_way,
        "unanswered": report.unanswered,
        "healed": report.healed,
        "discrepancies": [
            dict(zip(COLUMNS, row(each), strict=True)) | {"fields": each.finding.fields}
            for each in report.discrepancies
        ],
    }


def row(each: Discrepancy) -> Sequence[str]:
    """In the order of COLUMNS."""
    finding = each.finding
    return (
        each.endpoint,
        finding.code,
        each.agency,
        finding.side.value,
        finding.fault.value,
        " ".join(finding.fields),
        finding.remedy.value,
        each.done,
        each.why,
    )


class Kept:
    """A folder with the last report of each endpoint, `NAME.json`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, report: Report) -> None:
        """Whole or not at all."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{report.endpoint}.json"
        new = path.with_suffix(f".{os.getpid()}.new")
        new.write_bytes(orjson.dumps(to_json(report), option=orjson.OPT_INDENT_2))
        new.replace(path)

    def finished_at(self, endpoint: str) -> int:
        """When the last one ended, in microseconds since 1970; 0: there is none."""
        try:
            told = orjson.loads((self._folder / f"{endpoint}.json").read_bytes())
            return int(told["finishedAtMicroseconds"])
        except (OSError, orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            return 0
