"""The national document axis between stages: its sandbox as a process, and who is connected."""

from __future__ import annotations

import json
import secrets
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from deploy.stage import Process, bare_environment, free_port

SECRET = "truc-quoc-gia"  # noqa: S105 - its name, not its value


@dataclass(frozen=True)
class Member:
    """One province at the axis: what it declares to reach it, and how it signs."""

    declared: dict[str, Any]
    secret: str = field(repr=False)

    @property
    def systemid(self) -> str:
        return str(self.declared["endpoints"][0]["config"]["systemid"])


class Hub:
    """Simulated; a tenth of the packets is delivered twice, and it writes each of them anew."""

    def __init__(self, folder: Path, provinces: dict[Path, list[str]]) -> None:
        """`provinces`: the file that a province declares its axis endpoint in, and its agencies."""
        folder.mkdir(parents=True, exist_ok=True)
        port = free_port()
        self.members = {file: _member(file, f"http://127.0.0.1:{port}") for file in provinces}
        known = [
            {"systemid": member.systemid, "secret": member.secret, "codes": provinces[file]}
            for file, member in self.members.items()
        ]
        registered = folder / "provinces.json"
        registered.write_text(json.dumps(known))
        self.process = Process(
            "axis",
            [
                *(sys.executable, "-m", "adapters.vxp.sandbox", "--port", str(port)),
                *("--provinces", str(registered), "--store", str(folder / "axis.db")),
                *("--duplicates", "0.1"),
            ],
            bare_environment(),
            folder / "axis.log",
        )


def _member(file: Path, url: str) -> Member:
    declared = yaml.safe_load(file.read_text())
    declared["endpoints"][0]["config"] |= {"url": url, "secret": SECRET}
    return Member(declared, secrets.token_urlsafe(32))
