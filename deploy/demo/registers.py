"""Look-ups in national databases (CSDL quốc gia) while dossiers are handled, through the bus.

The department asks the population and the business register about those it has a dossier of, with
officer and purpose; some of them the registers do not know.  What comes back must be what the
registers hold, fields outside the grant must be withheld, and each access must be written down.
"""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from deploy.stage import Agency, Process, Stage, bare_environment, free_port

GATEWAY_SECRET = "sandbox-secret"  # noqa: S105 - of the simulated gateway, as its README says
PURPOSE = "giải quyết hồ sơ"
OFFICER = "001000000009"
PATIENCE = 20.0  # seconds for one question, the register's faults included
KNOWN = ("001099000001", "Nguyễn Thị Mẫu", "1999-01-31")
STRANGER = ("001099000009", "Lê Văn Không", "1990-05-02")
ENTERPRISE, ENTERPRISE_NAME = "0100000001", "CÔNG TY TNHH MẪU"
WITHHELD = "permanentResidence"
"""A field of the reply that the grant does not name."""


@dataclass
class Registers:
    """The simulated registers as a process, what the province declares for them, and the check."""

    folder: Path
    asked: int = 0
    refusals: int = 0  # questions without an officer, which the bus must refuse
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        self._port = free_port()
        self.secret_values = {
            "csdl-quoc-gia": GATEWAY_SECRET,
            "data-subjects": secrets.token_urlsafe(32),
            "partner-sessions": secrets.token_urlsafe(32),
        }
        command = [sys.executable, "-m", "adapters.national.sandbox", "--port", str(self._port)]
        log = self.folder / "registers.log"
        self.process = Process("csdl-quoc-gia", command, bare_environment(), log)

    def declared(self) -> dict[str, list[Any]]:
        url = f"http://127.0.0.1:{self._port}"
        vxp = {"kind": "vxp-adapter", "user": "lgsp", "secret": "csdl-quoc-gia"}
        token = {"kind": "token", "token_url": f"{url}/token", "client_id": "lgsp"}
        common = {"timeout": 10}
        return {
            "services": [
                {
                    "name": "dan-cu",
                    "title_vi": "CSDL quốc gia về dân cư",
                    "contract": self._contract(
                        "dan-cu",
                        "service: population\nservice_code: G15-TP110\nintegration_code: '037'\n",
                    ),
                    "address": f"{url}/population",
                    "sign_on": vxp | {"client": "VN/GOV/000.00.00.H99/truc"},
                    **common,
                },
                {
                    "name": "doanh-nghiep",
                    "title_vi": "CSDL quốc gia về đăng ký doanh nghiệp",
                    "contract": self._contract("doanh-nghiep", "service: business\n"),
                    "address": f"{url}/business",
                    "sign_on": token | {"client_secret": "csdl-quoc-gia"},
                    "operations": {"enterprise": {"idempotent": True, "cache_seconds": 60}},
                    **common,
                },
            ],
            "grants": [
                {
                    "name": "xay-dung-dan-cu",
                    "agency": "H99.14",
                    "service": "dan-cu",
                    "operations": ["lookUp"],
                    "fields": ["citizens/fullName", "citizens/identityNumber"],
                    "purposes": [PURPOSE],
                },
                {"name": "xay-dung-doanh-nghiep", "agency": "H99.14", "service": "doanh-nghiep"},
            ],
        }

    def _contract(self, name: str, text: str) -> str:
        file = self.folder / "contracts" / name / f"{name}.national.yaml"
        file.parent.mkdir(parents=True)
        file.write_text(text)
        return str(file)

    async def play(self, client: Agency, dossiers: int, report: Callable[[int], None]) -> None:
        """One question about a citizen for each dossier, every third one about a company, too."""
        timeout = aiohttp.ClientTimeout(total=PATIENCE)
        async with aiohttp.ClientSession(client.bus, timeout=timeout) as http:
            asker = _Asker(http, await authorized(http, client))
            for number in range(dossiers):
                await self._citizen(asker, KNOWN if number % 2 else STRANGER)
                if number % 3 == 0:
                    await self._enterprise(asker)
                report(number + 1)
            await self._without_officer(asker)

    async def _citizen(self, asker: _Asker, who: Sequence[str]) -> None:
        number, name, birth = who
        question = {"identityNumber": number, "fullName": name, "birth": birth}
        status, told = await asker.ask("dan-cu/lookUp", question, officer=OFFICER)
        self.asked += 1
        found = told.get("citizens")
        if status != 200 or not isinstance(found, list):
            self._wrong(f"population: {status} {told.get('code', '')}")
        elif who is STRANGER:
            if found:
                self._wrong("population: somebody was found whom the register does not have")
        elif [str(each["fullName"]).casefold() for each in found] != [name.casefold()]:
            self._wrong(f"population: {len(found)} found instead of the one there is")
        elif found[0].get(WITHHELD) != {"#withheld": True}:
            self._wrong(f"population: {WITHHELD} is told though no grant names it")

    async def _enterprise(self, asker: _Asker) -> None:
        status, told = await asker.ask("doanh-nghiep/enterprise", {"code": ENTERPRISE})
        self.asked += 1
        if status != 200 or ENTERPRISE_NAME not in json.dumps(told, ensure_ascii=False):
            self._wrong(f"business: {status} {told.get('code', '')}")

    async def _without_officer(self, asker: _Asker) -> None:
        number, name, birth = KNOWN
        question = {"identityNumber": number, "fullName": name, "birth": birth}
        status, _told = await asker.ask("dan-cu/lookUp", question)
        self.refusals += 400 <= status < 500
        if not self.refusals:
            self._wrong(f"population: asked without an officer, answered {status}")

    def _wrong(self, problem: str) -> None:
        self.problems.append(problem)

    def written_down(self, stage: Stage, dossiers: int) -> int:
        """Accesses to the one known citizen in the journal of accesses."""
        found = stage.lgsp(
            *("service", "accesses", "--subject", KNOWN[0], "--limit", "1000", "--json")
        )
        count = len(found["items"])
        if count != dossiers // 2:
            self._wrong(f"journal: {count} accesses written down, {dossiers // 2} were made")
        return count


@dataclass
class _Asker:
    http: aiohttp.ClientSession
    headers: dict[str, str] = field(repr=False)

    async def ask(
        self, path: str, question: dict[str, str], *, officer: str = ""
    ) -> tuple[int, dict[str, Any]]:
        headers = self.headers | {"Lgsp-Purpose": PURPOSE}
        if officer:
            headers["Lgsp-Officer"] = officer
        async with self.http.post(f"/services/{path}", json=question, headers=headers) as answer:
            told: dict[str, Any] = await answer.json(content_type=None)
            return answer.status, told


async def authorized(http: aiohttp.ClientSession, client: Agency) -> dict[str, str]:
    """The header by which the agency's system is let in."""
    form = {
        "grant_type": "client_credentials",
        "client_id": client.client,
        "client_secret": client.client_secret,
    }
    async with http.post("/api/v1/token", data=form) as answer:
        answer.raise_for_status()
        return {"Authorization": f"Bearer {(await answer.json())['access_token']}"}
