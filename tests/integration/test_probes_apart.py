"""A process without the gateway tells how it is on a port of its own, and serves nothing else."""

from __future__ import annotations

from pathlib import Path

import httpx2

from bus.app import running
from bus.settings import Settings

ROLES = frozenset({"dispatcher", "worker"})


async def test_a_process_without_a_gateway_answers_probes(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, ops_port=0)
    async with (
        running(settings, ROLES) as address,
        httpx2.AsyncClient(base_url=address or "") as http,
    ):
        assert (await http.get("/healthz")).json() == {"status": "alive"}
        ready = await http.get("/readyz")
        assert ready.status_code == 200
        assert ready.json()["status"] == "ready"
        metrics = await http.get("/metrics")
        assert "lgsp_commit_seconds" in metrics.text
        forwarded = await http.get("/metrics", headers={"X-Forwarded-For": "10.1.2.3"})
        assert forwarded.status_code == 401, "numbers are for scrapers on this machine"
        for path in ("/api/v1/documents", "/api/v1/token", "/docs", "/"):
            answer = await http.get(path)
            assert answer.status_code == 404
            assert answer.headers["content-type"].startswith("application/problem+json")


async def test_without_a_port_it_does_not_listen(tmp_path: Path) -> None:
    async with running(Settings(data_dir=tmp_path), ROLES) as address:
        assert address is None
