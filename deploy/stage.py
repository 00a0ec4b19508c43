"""A province in processes: the bus as it runs in production, and its agencies' sandboxes.

The demo plays on it, the crash tests break it, the benches measure it.  Everything lives below one
folder, listens on loopback ports that were free, and ends with `close`.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from deploy.services import ports

START_SECONDS = 60.0
PROVINCE = Path(__file__).parent / "demo" / "province"


class StageError(RuntimeError):
    """A process did not come up; says which, and where its log is."""


def free_port() -> int:
    """One that stays free while its process is down: no outgoing connection gets it."""
    return ports.choose(("one",))["one"]


def bare_environment() -> dict[str, str]:
    """Ours without settings of a bus that a user may have there."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("LGSP_")}
    return environment | {"PYTHONUNBUFFERED": "1"}


def agency_codes(province: Path) -> list[str]:
    """Of the agencies that a province's folder declares."""
    declared = yaml.safe_load((province / "agencies.yaml").read_text())
    return [agency["code"] for agency in declared["agencies"]]


@dataclass
class Process:
    """One process of the stage with its log; started again after a kill by `start`."""

    name: str
    command: list[str]
    env: dict[str, str]
    log: Path
    popen: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.popen = subprocess.Popen(
                self.command, env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    @property
    def pid(self) -> int:
        if self.popen is None:
            msg = f"{self.name} was never started"
            raise StageError(msg)
        return self.popen.pid

    @property
    def alive(self) -> bool:
        return self.popen is not None and self.popen.poll() is None

    def kill(self) -> None:
        """`kill -9`: no goodbye."""
        if self.popen is not None:
            self.popen.kill()
            self.popen.wait()

    def stop(self, seconds: float = 30.0) -> int:
        """SIGTERM, and SIGKILL for one that does not end in time; returns its exit status."""
        if self.popen is None:
            return 0
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)
            try:
                self.popen.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.popen.returncode


@dataclass
class Agency:
    """One agency on the stage: who it is, how it authenticates, where its sandbox listens."""

    bus: str  # address of its province's bus
    endpoint: str
    code: str
    name: str
    kind: str  # rest-push or mailbox
    client: str
    client_secret: str = field(repr=False)
    sandbox_url: str = ""  # rest-push only
    receipts: Path = Path()  # NDJSON file its sandbox writes

    @property
    def pushed_to(self) -> bool:
        return self.kind == "rest-push"


class Stage:
    """`folder` is emptied by nobody: give it a fresh one."""

    def __init__(
        self,
        folder: Path,
        *,
        province: Path = PROVINCE,
        also: Mapping[str, Any] | None = None,
        secret_values: Mapping[str, str] | None = None,
        database_url: str | None = None,
        broker_url: str | None = None,
        roles: Sequence[str] = ("serve",),
        settings: dict[str, str] | None = None,
        endpoint_options: dict[str, Any] | None = None,
    ) -> None:
        """`province` is a folder with agencies.yaml, endpoints.yaml and clients.yaml, where each
        client is named as its endpoint; `also` is declared beside it.
        `roles` is one process each, such as ("gateway", "dispatcher", "worker", "worker").

        `endpoint_options` are merged into every rest-push endpoint (concurrency, config, …).
        """
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.agencies: list[Agency] = []
        self.bus: list[Process] = []
        self.sandboxes: dict[str, Process] = {}
        self._ports: dict[str, int] = {}  # of the sandboxes
        self._province = province
        self._also = also
        self._roles = tuple(roles)
        self._endpoint_options = endpoint_options or {}
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "secrets").mkdir(exist_ok=True)
        for name, value in (secret_values or {}).items():
            (folder / "secrets" / name).write_text(value)
        self.env = {
            **bare_environment(),
            "LGSP_DATA_DIR": str(folder / "bus"),
            "LGSP_SECRETS_DIR": str(folder / "secrets"),
            "LGSP_HTTP_PORT": str(self.port),
            "LGSP_BROKER_PREFIX": f"stage-{secrets.token_hex(4)}",
            **(settings or {}),
        }
        if database_url:
            self.env["LGSP_DATABASE_URL"] = database_url
        if broker_url:
            self.env["LGSP_BROKER_URL"] = broker_url

    # --- up and down ----------------------------------------------------------------------------

    def open(self) -> None:
        """Sandboxes, province, keys, bus: in this order, and ready when it returns."""
        (self.folder / "bus").mkdir(exist_ok=True)
        self._start_sandboxes()
        self.lgsp("migrate")
        self._declare()
        self._issue_keys()
        for number, role in enumerate(self._roles, start=1):
            self.bus.append(self._bus_process(f"{role}-{number}", role))
        for process in self.bus:
            process.start()
        self.wait_ready()

    def close(self) -> None:
        for process in self.bus:
            if process.popen is not None and process.alive:
                process.popen.send_signal(signal.SIGTERM)
        for process in (*self.bus, *self.sandboxes.values()):
            process.stop()

    def lgsp(self, *arguments: str) -> Any:
        """Run the command line; returns what it printed as JSON, if it printed that."""
        done = subprocess.run(
            [sys.executable, "-m", "bus.cli", *arguments],
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        if done.returncode:
            said = done.stderr.strip() or done.stdout.strip()
            msg = f"lgsp {' '.join(arguments)}: {said[-2000:]}"
            raise StageError(msg)
        try:
            return json.loads(done.stdout)
        except json.JSONDecodeError:
            return done.stdout

    def wait_ready(self, seconds: float = START_SECONDS) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for process in self.bus:
                if not process.alive:
                    msg = f"{process.name} ended at once, see {process.log}"
                    raise StageError(msg)
            try:
                with urllib.request.urlopen(f"{self.url}/readyz", timeout=2):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
        msg = f"the bus is not ready after {seconds:g} s, see {self.folder}"
        raise StageError(msg)

    # --- parts ----------------------------------------------------------------------------------

    def _bus_process(self, name: str, role: str) -> Process:
        return Process(
            name,
            [sys.executable, "-m", "bus.cli", role],
            self.env,
            self.folder / f"{name}.log",
        )

    def _start_sandboxes(self) -> None:
        """A process for each agency the bus calls; their addresses go into the province."""
        for endpoint in self._load("endpoints")["endpoints"]:
            if endpoint["kind"] != "rest-push":
                continue
            name, port = endpoint["name"], free_port()
            secret = self.folder / "secrets" / name
            secret.write_text(secrets.token_urlsafe(32))
            process = Process(
                f"sandbox-{name}",
                [
                    *(sys.executable, "-m", "adapters.rest_push.sandbox"),
                    *("--port", str(port), "--secret-file", str(secret)),
                    *("--log", str(self.folder / f"{name}.received.ndjson")),
                ],
                self.env,
                self.folder / f"sandbox-{name}.log",
            )
            process.start()
            self.sandboxes[name] = process
            self._ports[name] = port

    def _declare(self) -> None:
        """The demo province, with the sandboxes' addresses."""
        folder = self.folder / "province"
        folder.mkdir(exist_ok=True)
        endpoints = self._load("endpoints")
        for endpoint in endpoints["endpoints"]:
            if endpoint["name"] in self._ports:
                url = f"http://127.0.0.1:{self._ports[endpoint['name']]}/documents"
                endpoint["config"] |= {"url": url, "lookup_url": url}
                config = self._endpoint_options.get("config", {})
                endpoint.update(self._endpoint_options, config=endpoint["config"] | config)
        clients = self._load("clients")
        for client in clients["clients"]:
            client.update(rate=100_000, burst=100_000)
        for name, content in (("endpoints", endpoints), ("clients", clients)):
            (folder / f"{name}.yaml").write_text(yaml.safe_dump(content, allow_unicode=True))
        for file in self._province.glob("*.yaml"):
            if file.stem not in {"endpoints", "clients"}:
                (folder / file.name).write_text(file.read_text())
        if self._also:
            (folder / "also.yaml").write_text(yaml.safe_dump(self._also, allow_unicode=True))
        self.lgsp("apply", "-f", str(folder), "--reason", "stage", "--yes")

    def _issue_keys(self) -> None:
        names = {a["code"]: a["name"] for a in self._load("agencies")["agencies"]}
        kinds = {e["name"]: e["kind"] for e in self._load("endpoints")["endpoints"]}
        for client in self._load("clients")["clients"]:
            issued = self.lgsp("client", "key", "add", client["id"], "--json")
            endpoint = client["id"]
            port = self._ports.get(endpoint)
            self.agencies.append(
                Agency(
                    bus=self.url,
                    endpoint=endpoint,
                    code=client["agencies"][0],
                    name=names[client["agencies"][0]],
                    kind=kinds[endpoint],
                    client=client["id"],
                    client_secret=issued["key"],
                    sandbox_url=f"http://127.0.0.1:{port}" if port else "",
                    receipts=self.folder / f"{endpoint}.received.ndjson",
                )
            )

    def _load(self, name: str) -> Any:
        return yaml.safe_load((self._province / f"{name}.yaml").read_text())
