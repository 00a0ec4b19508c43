"""Where one message goes: a pure function of the message, the day and the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

from routing.decision import Decision, ReceiverDecision, RoutingOutcome, Step
from routing.directory import Connection, Directory, Resolution, tidy
from routing.subscription import NOBODY_SUBSCRIBES, SubscriptionTable
from routing.table import RouteTable
from schemas.adapter import Manifest
from schemas.province import Agency, Endpoint, Route


@dataclass(frozen=True, slots=True)
class Facts:
    """All that routing looks at in a message."""

    kind: str  # of the body: "document", "step" …
    sender: str
    receivers: tuple[str, ...]  # as addressed; dossiers address nobody
    via: str = ""  # endpoint it was fetched from


@dataclass(frozen=True, slots=True)
class _Rules:
    directory: Directory
    routes: RouteTable
    endpoints: Mapping[str, Endpoint]
    manifests: Mapping[str, Manifest]
    kind: str
    sender: tuple[str, ...]  # every code of the sender
    on: date
    via: str


def route(
    facts: Facts,
    directory: Directory,
    routes: RouteTable,
    endpoints: Mapping[str, Endpoint],
    manifests: Mapping[str, Manifest],
    *,
    on: date,
    subscriptions: SubscriptionTable = NOBODY_SUBSCRIBES,
) -> Decision:
    """Decides for every receiver by itself: the first route that matches, else the directory.
    Those who have subscribed to the sender's dossiers are receivers as if addressed.

    `manifests` are the adapters' own, by kind. Never raises: what cannot be delivered says why.
    """
    sender = directory.resolve(facts.sender, on).agency
    codes = (tidy(facts.sender),) if sender is None else directory.codes_of(sender, on)
    rules = _Rules(directory, routes, endpoints, manifests, facts.kind, codes, on, facts.via)
    writings: dict[str, list[str]] = {}
    resolutions: dict[str, Resolution] = {}
    subscribed = subscriptions.receivers(facts.kind, codes)
    for addressed in (*facts.receivers, *subscribed):
        resolution = directory.resolve(addressed, on)
        key = tidy(addressed) if resolution.agency is None else resolution.agency.code
        writings.setdefault(key, []).append(addressed)
        resolutions.setdefault(key, resolution)
    decided = (_decide(rules, writings[key], resolutions[key]) for key in writings)
    receivers = tuple(_subscribed(each, subscribed) for each in decided)
    return Decision(facts.kind, facts.sender, on.isoformat(), receivers)


def _decide(rules: _Rules, written: list[str], resolution: Resolution) -> ReceiverDecision:
    agency = resolution.agency
    addressed, *again = written
    vi, en = resolution.explanation
    steps: list[Step] = [_once(written), (vi, en)] if again else [(vi, en)]
    if agency is None:
        return ReceiverDecision(
            addressed, RoutingOutcome.UNKNOWN, tuple(steps), also_addressed=tuple(again)
        )
    match = rules.routes.first_match(
        rules.kind, rules.sender, rules.directory.codes_of(agency, rules.on)
    )
    connection = _connection(rules, agency, match)
    outcome, reasons = _outcome(rules, agency, match, connection)
    manifest = _manifest(rules, connection)
    return ReceiverDecision(
        addressed,
        outcome,
        (*steps, *reasons),
        agency=agency.code,
        name=agency.name,
        alias_used=resolution.alias,
        also_addressed=tuple(again),
        route=None if match is None else match.name,
        endpoint=None if connection is None else connection.endpoint,
        inherited_from=None if connection is None else connection.inherited_from,
        pull=manifest is not None and manifest.mode == "pull",
        grouped=manifest is not None and manifest.fan_out == "grouped",
    )


def _subscribed(receiver: ReceiverDecision, names: Mapping[str, str]) -> ReceiverDecision:
    """Says by which subscription it is a receiver, if that is why."""
    name = names.get(receiver.addressed)
    if name is None:
        return receiver
    why = (f"theo đăng ký nhận {name}", f"by subscription {name}")
    return replace(receiver, steps=(why, *receiver.steps))


def _connection(rules: _Rules, agency: Agency, match: Route | None) -> Connection | None:
    if match is not None and match.action == "refuse":
        return None
    if match is not None and match.endpoint is not None:
        return Connection(match.endpoint, None)
    return rules.directory.endpoint_of(agency)


def _manifest(rules: _Rules, connection: Connection | None) -> Manifest | None:
    endpoint = None if connection is None else rules.endpoints.get(connection.endpoint)
    return None if endpoint is None else rules.manifests.get(endpoint.kind)


def _outcome(
    rules: _Rules, agency: Agency, match: Route | None, connection: Connection | None
) -> tuple[RoutingOutcome, list[Step]]:
    if match is not None and match.action == "refuse":
        return RoutingOutcome.REFUSED, [_by_route(match, "từ chối", "refused")]
    if connection is None:
        return RoutingOutcome.UNROUTABLE, [_no_endpoint(agency)]
    steps = [_over(match, connection)]
    if connection.endpoint == rules.via:
        return RoutingOutcome.ORIGIN, [*steps, _came_from(connection.endpoint)]
    if match is not None and match.action == "hold":
        return RoutingOutcome.HOLD, [*steps, _by_route(match, "giữ lại", "held")]
    manifest = _manifest(rules, connection)
    if manifest is None or rules.kind not in manifest.kinds:
        return RoutingOutcome.HOLD, [*steps, _not_usable(rules, connection.endpoint)]
    return RoutingOutcome.DELIVER, steps


def _once(written: list[str]) -> Step:
    codes = ", ".join(written)
    return (
        f"cùng một cơ quan được ghi {len(written)} lần ({codes}): chỉ chuyển một lần",
        f"the same agency is addressed {len(written)} times ({codes}): it gets one delivery",
    )


def _by_route(match: Route, vi: str, en: str) -> Step:
    reason = f": {match.reason}" if match.reason else ""
    return f"{vi} theo quy tắc {match.name}{reason}", f"{en} by route {match.name}{reason}"


def _no_endpoint(agency: Agency) -> Step:
    return (
        f"{agency.code} và các cơ quan cấp trên đều chưa có điểm kết nối",
        f"neither {agency.code} nor any agency above it has an endpoint",
    )


def _came_from(endpoint: str) -> Step:
    return (
        f"gói tin lấy về từ {endpoint}: nơi đó tự chuyển cho cơ quan này",
        f"the packet was fetched from {endpoint}, which serves this receiver itself",
    )


def _over(match: Route | None, connection: Connection) -> Step:
    endpoint, inherited = connection
    if match is not None and match.endpoint is not None:
        reason = f" ({match.reason})" if match.reason else ""
        return (
            f"theo quy tắc {match.name}{reason}: qua điểm kết nối {endpoint}",
            f"by route {match.name}{reason}: over endpoint {endpoint}",
        )
    if inherited is not None:
        return (
            f"qua điểm kết nối {endpoint} của cơ quan cấp trên {inherited}",
            f"over endpoint {endpoint}, inherited from {inherited}",
        )
    return f"qua điểm kết nối {endpoint} của cơ quan", f"over the agency's endpoint {endpoint}"


def _not_usable(rules: _Rules, name: str) -> Step:
    endpoint = rules.endpoints.get(name)
    if endpoint is None:
        return (
            f"điểm kết nối {name} chưa được khai báo: giữ lại chờ quản trị",
            f"endpoint {name} is not declared: held for the administrator",
        )
    if endpoint.kind in rules.manifests:
        return (
            f"điểm kết nối {name} ({endpoint.kind}) không nhận {rules.kind}: giữ lại chờ quản trị",
            f"endpoint {name} ({endpoint.kind}) takes no {rules.kind}: held for the administrator",
        )
    return (
        f"điểm kết nối {name} dùng loại {endpoint.kind} mà trục không có: giữ lại chờ quản trị",
        f"endpoint {name} is of a kind this bus lacks, {endpoint.kind}: held for the administrator",
    )
