"""Documentation, dashboards and alert rules name the metrics of a running bus, and no others."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import promql_parser as promql
import pytest
import yaml

from bus.app import ROLES, running
from bus.ops.metrics import Metrics
from bus.settings import Settings

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "deploy" / "docs" / "metrics.md"
RULES = ROOT / "deploy" / "prometheus" / "lgsp.rules.yml"
DASHBOARDS = sorted((ROOT / "deploy" / "grafana").glob("*.json"))
OURS = "lgsp_"
_ADDED = frozenset({"instance", "job", "le"})  # by Prometheus, and by histograms
_VARIABLES = {"$__rate_interval": "5m", "$endpoint": ".*"}


def table() -> str:
    """Every metric of ours, as the page has to show them."""
    lines = ["| Metric | Type | Labels | Meaning |", "|---|---|---|---|"]
    for name, (kind, labels, meaning) in _declared().items():
        shown = ", ".join(f"`{label}`" for label in labels) or "—"
        lines.append(f"| `{name}` | {kind} | {shown} | {meaning} |")
    return "\n".join(lines) + "\n"


def _declared() -> dict[str, tuple[str, tuple[str, ...], str]]:
    """By the name that Prometheus sees: type, labels, description."""
    metrics = Metrics()
    found = {}
    for metric in metrics.registry._collector_to_names:
        name, kind = getattr(metric, "_name", ""), getattr(metric, "_type", "")
        if name.startswith(OURS):
            shown = f"{name}_total" if kind == "counter" else name
            found[shown] = (kind, tuple(metric._labelnames), metric._documentation)  # type: ignore[attr-defined]
    return found


def _series() -> dict[str, frozenset[str]]:
    """Every name an expression may use, with its labels."""
    found: dict[str, frozenset[str]] = {}
    for name, (kind, labels, _) in _declared().items():
        ends = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
        found |= {name + end: frozenset(labels) for end in ends}
    return found


def test_the_page_lists_every_metric() -> None:
    assert table() in PAGE.read_text("utf-8"), table()


async def test_a_running_bus_exposes_every_metric(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, http_port=0)
    async with (
        running(settings, ROLES) as address,
        httpx2.AsyncClient(base_url=address or "", timeout=60) as http,
    ):
        shown = (await http.get("/metrics")).text
    exposed = set(re.findall(r"^# TYPE (lgsp_\w+) ", shown, re.MULTILINE))
    assert _declared().keys() <= exposed
    assert {n for n in exposed if not n.endswith("_created")} == _declared().keys()


def _expressions() -> Iterator[tuple[str, str]]:
    for group in yaml.safe_load(RULES.read_text("utf-8"))["groups"]:
        for rule in group["rules"]:
            yield f"{RULES.name} {rule['alert']}", rule["expr"]
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text("utf-8"))["panels"]:
            for target in panel["targets"]:
                yield f"{path.name} {panel['title']}", target["expr"]


def _selectors(node: Any) -> Iterator[tuple[str, list[str]]]:
    """Names and labels that an expression selects."""
    if isinstance(node, promql.VectorSelector):
        yield node.name or "", [matcher.name for matcher in node.matchers.matchers]
    for part in ("lhs", "rhs", "expr", "args", "vector_selector"):
        inner = getattr(node, part, None)
        for each in inner if isinstance(inner, list | tuple) else [inner]:
            if isinstance(each, promql.Expr):
                yield from _selectors(each)


def test_expressions_are_promql_over_metrics_that_exist() -> None:
    found = list(_expressions())
    assert len(found) > 40
    for where, text in found:
        _judge(where, text)


def _judge(where: str, text: str) -> None:
    for variable, value in _VARIABLES.items():
        text = text.replace(variable, value)
    series = _series()
    selected = list(_selectors(promql.parse(text)))
    assert selected, where
    for name, labels in selected:
        if not name.startswith(OURS):
            assert name.startswith("process_"), f"{where}: {name}"
            continue
        assert name in series, f"{where}: {name}"
        assert set(labels) <= series[name] | _ADDED, f"{where}: {labels}"
    grouped = {
        label for by in re.findall(r"\b(?:by|on) \(([^)]*)\)", text) for label in by.split(",")
    }
    known = frozenset().union(*(series.get(name, frozenset()) for name, _ in selected))
    assert {label.strip() for label in grouped if label.strip()} <= known | _ADDED, where


def test_every_stage_is_on_a_dashboard() -> None:
    used = {
        name
        for where, text in _expressions()
        if where.endswith(".json") or ".json " in where
        for name in re.findall(r"\blgsp_\w+", text)
    }
    shown = {re.sub(r"_(bucket|sum|count)$", "", name) for name in used}
    hidden = {"lgsp_backlog_read_timestamp_seconds", "lgsp_alerts_looked_timestamp_seconds"}
    assert _declared().keys() - shown == hidden, "what nobody sees need not be measured"


def test_rules_tell_people_in_both_languages_what_to_do() -> None:
    for group in yaml.safe_load(RULES.read_text("utf-8"))["groups"]:
        for rule in group["rules"]:
            assert rule["labels"]["severity"] in {"warning", "critical"}
            assert " / " in rule["annotations"]["summary"], rule["alert"]
            assert rule["annotations"]["runbook"]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_prometheus_itself_takes_the_rules() -> None:
    done = subprocess.run(
        ["promtool", "check", "rules", str(RULES)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.name)
def test_dashboards_are_whole(path: Path) -> None:
    board = json.loads(path.read_text("utf-8"))
    assert board["uid"].startswith("lgsp-")
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    for panel in board["panels"]:
        assert panel["description"], panel["title"]
        assert panel["datasource"]["uid"] == "${datasource}", "no address of ours in it"
