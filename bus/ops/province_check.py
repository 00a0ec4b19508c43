"""Whether the parts of a declared province hold together: every fault, in both languages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from itertools import combinations

from routing.directory import Directory
from routing.mapping import MappingTables
from routing.table import parse_pattern
from schemas.dossier.calendar import WorkingCalendar
from schemas.errors import ConfigurationError, Text
from schemas.maintenance import NOTICE_DAYS, Maintenance
from schemas.province import Agency, Alias, Endpoint, Province, calendar_of
from schemas.service import Service


def faults_of(
    province: Province,
    check_endpoint: Callable[[Endpoint], list[str]],
    check_service: Callable[[Service], list[str]] = lambda _service: [],
) -> list[Text]:
    """Everything that refers to nothing, contradicts itself, or that no adapter can use."""
    return [
        *_agencies(province),
        *_aliases(province),
        *_circles(province),
        *_endpoints(province, check_endpoint),
        *_routes(province),
        *_subscriptions(province),
        *_mappings(province),
        *_services(province, check_service),
        *_grants(province),
        *_feeds(province),
        *_clients(province),
    ]


def _missing(vi: str, en: str, kind_vi: str, kind_en: str, name: str) -> Text:
    return Text(
        f"{vi}: {kind_vi} {name} chưa được khai báo", f"{en}: {kind_en} {name} is not declared"
    )


def _agencies(province: Province) -> Iterator[Text]:
    codes = {agency.code for agency in province.agencies}
    endpoints = {endpoint.name for endpoint in province.endpoints}
    for agency in province.agencies:
        vi, en = f"cơ quan {agency.code}", f"agency {agency.code}"
        if agency.parent is not None and agency.parent not in codes:
            yield _missing(vi, en, "cơ quan cấp trên", "parent", agency.parent)
        if agency.endpoint is not None and agency.endpoint not in endpoints:
            yield _missing(vi, en, "điểm kết nối", "endpoint", agency.endpoint)
        periods: list[Agency | Alias] = [agency, *agency.aliases]
        for period in periods:
            if period.valid_from and period.valid_to and period.valid_to < period.valid_from:
                yield Text(
                    f"{vi}: {period.code} hết hiệu lực trước khi có hiệu lực",
                    f"{en}: {period.code} ends before it begins",
                )


def _aliases(province: Province) -> Iterator[Text]:
    """A code may pass from one agency to another, but never mean both on the same day."""
    meanings: dict[str, list[tuple[Agency, Agency | Alias]]] = {}
    own = {agency.code: agency for agency in province.agencies}
    for agency in province.agencies:
        for alias in agency.aliases:
            meanings.setdefault(alias.code, []).append((agency, alias))
    for code, meant in sorted(meanings.items()):
        if code in own:
            meant.append((own[code], own[code]))
        for (one, first), (other, second) in combinations(meant, 2):
            if one.code != other.code and _overlap((first, one), (second, other)):
                yield Text(
                    f"mã {code} cùng lúc chỉ cả {one.code} và {other.code}",
                    f"code {code} means both {one.code} and {other.code} at the same time",
                )


def _overlap(*periods: tuple[Agency | Alias, Agency]) -> bool:
    """Whether there is a day on which all of them are in force."""
    bounds = [bound for pair in periods for bound in pair]
    start = max(bound.valid_from or date.min for bound in bounds)
    end = min(bound.valid_to or date.max for bound in bounds)
    return start <= end


def _circles(province: Province) -> Iterator[Text]:
    try:
        Directory(province.agencies)
    except ConfigurationError as error:
        yield error.detail


def _endpoints(
    province: Province, check_endpoint: Callable[[Endpoint], list[str]]
) -> Iterator[Text]:
    calendar = calendar_of(province.holidays)
    for endpoint in province.endpoints:
        vi, en = f"điểm kết nối {endpoint.name}", f"endpoint {endpoint.name}"
        for fault in check_endpoint(endpoint):
            yield Text(f"{vi}: {fault}", f"{en}: {fault}")
        yield from _maintenance(vi, en, endpoint.maintenance, calendar)


def _routes(province: Province) -> Iterator[Text]:
    endpoints = {endpoint.name for endpoint in province.endpoints}
    for route in province.routes:
        vi, en = f"quy tắc {route.name}", f"route {route.name}"
        if route.endpoint is not None and route.endpoint not in endpoints:
            yield _missing(vi, en, "điểm kết nối", "endpoint", route.endpoint)
        yield from _patterns(vi, en, route.sender, route.receiver)


def _patterns(vi: str, en: str, *patterns: str) -> Iterator[Text]:
    for pattern in patterns:
        try:
            parse_pattern(pattern)
        except ConfigurationError as error:
            yield Text(f"{vi}: {error.detail.vi}", f"{en}: {error.detail.en}")


def _subscriptions(province: Province) -> Iterator[Text]:
    """A dossier names no receiver: one that cannot be reached would be missed by nobody."""
    agencies = {agency.code: agency for agency in province.agencies}
    for each in province.subscriptions:
        vi, en = f"đăng ký nhận {each.name}", f"subscription {each.name}"
        for code in each.receivers:
            if code not in agencies:
                yield _missing(vi, en, "cơ quan", "agency", code)
            elif agencies[code].endpoint is None:
                yield Text(
                    f"{vi}: cơ quan {code} chưa có điểm kết nối riêng",
                    f"{en}: agency {code} has no endpoint of its own",
                )
        yield from _patterns(vi, en, each.sender)


def _mappings(province: Province) -> Iterator[Text]:
    try:
        MappingTables(province.mappings)
    except ConfigurationError as error:
        yield error.detail


def _services(province: Province, check_service: Callable[[Service], list[str]]) -> Iterator[Text]:
    versions: dict[str, list[Service]] = {}
    calendar = calendar_of(province.holidays)
    for service in province.services:
        versions.setdefault(service.name, []).append(service)
        for fault in check_service(service):
            yield Text(f"dịch vụ {service.id}: {fault}", f"service {service.id}: {fault}")
        vi, en = f"dịch vụ {service.id}", f"service {service.id}"
        yield from _maintenance(vi, en, service.maintenance, calendar)
    for name, several in versions.items():
        marked = sum(each.current for each in several)
        if marked > 1 or (len(several) > 1 and not marked):
            yield Text(
                f"dịch vụ {name}: đúng một trong {len(several)} phiên bản phải có current: true",
                f"service {name}: exactly one of its {len(several)} versions must be current: true",
            )


def _maintenance(
    vi: str, en: str, announced: Iterable[Maintenance], calendar: WorkingCalendar
) -> Iterator[Text]:
    for each in announced:
        days = each.notice(calendar)
        if days < NOTICE_DAYS:
            yield Text(
                f"{vi}: bảo trì từ {each.begins:%d/%m/%Y %H:%M} chỉ báo trước {days} ngày làm "
                f"việc, cần ít nhất {NOTICE_DAYS} (NĐ 47/2020 điều 43)",
                f"{en}: maintenance from {each.begins:%Y-%m-%d %H:%M} is announced {days} working "
                f"days ahead, {NOTICE_DAYS} are needed (NĐ 47/2020 article 43)",
            )


def _grants(province: Province) -> Iterator[Text]:
    services = {service.name for service in province.services}
    agencies = {agency.code for agency in province.agencies}
    clients = {client.id for client in province.clients}
    for grant in province.grants:
        vi, en = f"cấp quyền {grant.name}", f"grant {grant.name}"
        if grant.service not in services:
            yield _missing(vi, en, "dịch vụ", "service", grant.service)
        if grant.agency is not None and grant.agency not in agencies:
            yield _missing(vi, en, "cơ quan", "agency", grant.agency)
        if grant.client is not None and grant.client not in clients:
            yield _missing(vi, en, "hệ thống", "client", grant.client)


def _feeds(province: Province) -> Iterator[Text]:
    services = {service.name for service in province.services}
    agencies = {agency.code for agency in province.agencies}
    for feed in province.feeds:
        vi, en = f"nhận thay đổi {feed.name}", f"feed {feed.name}"
        if feed.service not in services:
            yield _missing(vi, en, "dịch vụ", "service", feed.service)
        if feed.agency not in agencies:
            yield _missing(vi, en, "cơ quan", "agency", feed.agency)
        granted = (
            each
            for each in province.grants
            if each.agency == feed.agency and each.service == feed.service
        )
        if not any(each.names(feed.operation) for each in granted):
            yield Text(
                f"{vi}: cơ quan {feed.agency} chưa được cấp quyền {feed.service}/{feed.operation}",
                f"{en}: agency {feed.agency} has no grant for {feed.service}/{feed.operation}",
            )


def _clients(province: Province) -> Iterator[Text]:
    codes = {agency.code for agency in province.agencies}
    for client in province.clients:
        vi, en = f"hệ thống {client.id}", f"client {client.id}"
        yield from _patterns(vi, en, *client.follows)
        for code in client.agencies:
            if code not in codes:
                yield _missing(vi, en, "cơ quan", "agency", code)
    systems = Counter(client.system_id for client in province.clients if client.system_id)
    for system_id, count in systems.items():
        if count > 1:
            yield Text(
                f"mã hệ thống {system_id} khai báo cho {count} hệ thống",
                f"system_id {system_id} is declared for {count} clients",
            )
