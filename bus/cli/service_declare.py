"""`lgsp service add|list|show|remove|diff`: services as they are declared."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bus.cli.failure import PROBLEM
from bus.cli.lang import say
from bus.cli.options import Json, examples
from bus.cli.output import (
    camel,
    headings,
    say_line,
    show_facts,
    show_json,
    show_table,
    to_json,
)
from bus.cli.session import Session
from schemas.errors import Conflict, NotFound

if TYPE_CHECKING:
    from bus.gateway.translate import Contract
    from bus.ledger.ledger import Ledger
    from schemas.province import Province
    from schemas.service import Service

Name = Annotated[str, typer.Argument(help=say("tên, hoặc tên@phiên bản", "name, or name@version"))]
Reason = Annotated[str, typer.Option(help=say("lý do, được lưu lại", "reason, kept"))]
Wsdl = Annotated[
    Path, typer.Argument(exists=True, dir_okay=False, help=say("tệp WSDL", "the WSDL file"))
]


def add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help=say("tên dịch vụ", "name of the service"))],
    file: Wsdl,
    *,
    reason: Reason,
    version: Annotated[str, typer.Option(help=say("phiên bản", "version"))] = "1",
    address: Annotated[
        str, typer.Option(help=say("địa chỉ; nếu không: theo WSDL", "where it is; else the WSDL's"))
    ] = "",
    title: Annotated[str, typer.Option(help=say("tên hiển thị", "title"))] = "",
    current: Annotated[
        bool, typer.Option(help=say("lời gọi không nêu phiên bản", "calls that name no version"))
    ] = False,
    json: Json = False,
) -> None:
    given: dict[str, Any] = {"address": address, "title_vi": title, "current": current}
    session = Session.of(context)
    service = session.run(
        lambda ledger: _add(ledger, file, name, version, given, session.actor, reason)
    )
    if json:
        show_json(_as_json(service))
        return
    say_line(
        say(
            f"✓ Đã khai báo {service.id}. Khai báo tiếp trong tệp (lgsp export): cách xác thực "
            "với đối tác, thao tác nào là dữ liệu cá nhân, ai được gọi.",
            f"✓ {service.id} is declared. Declare in files next (lgsp export): how the bus signs "
            "on, which operations are personal, who may call.",
        )
    )


async def _add(
    ledger: Ledger,
    file: Path,
    name: str,
    version: str,
    given: dict[str, Any],
    actor: str,
    reason: str,
) -> Service:
    """New, or the same version with another contract: then what else was declared of it stays.

    Raises ConfigurationError (it cannot be called), InvalidContract (with what is missing).
    """
    from bus.gateway.national import compile_contract  # noqa: PLC0415 - late: lxml
    from bus.ops.province_contracts import pinned, read_documents  # noqa: PLC0415

    documents = read_documents(file)
    missing = compile_contract(documents, file.name).missing
    copies = await ledger.contracts.schemas() if missing else {}
    documents |= {location: copies[location] for location in missing if location in copies}
    contract = pinned(file.name, documents)
    known = {each.id: each for each in (await ledger.config.province()).services}
    old = known.get(f"{name}@{version}")
    changed = {key: value for key, value in given.items() if value}
    base = old.model_dump(exclude_defaults=True) if old else {"name": name, "version": version}
    service = _parsed(base | changed | {"contract": contract})
    contents = {contract["documents"][key]: content for key, content in documents.items()}
    await _change(ledger, old, service, contents, actor=actor, reason=reason)
    return service


def _parsed(declared: dict[str, Any]) -> Service:
    from pydantic import ValidationError  # noqa: PLC0415 - late

    from schemas.errors import ConfigurationError  # noqa: PLC0415
    from schemas.service import Service  # noqa: PLC0415

    try:
        return Service.model_validate(declared)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"
            for fault in error.errors(include_input=False, include_url=False)
        )
        raise ConfigurationError(faults) from None


async def _change(
    ledger: Ledger,
    old: Service | None,
    new: Service | None,
    contents: dict[str, bytes],
    *,
    actor: str,
    reason: str,
) -> None:
    """The change as `lgsp apply` would make it, with the same checks."""
    from bus.cli.service_check import faults_of_service  # noqa: PLC0415 - late: lxml
    from bus.gateway.national import operations_of  # noqa: PLC0415
    from bus.ops.province_change import propose, put_in_force  # noqa: PLC0415

    def change(province: Province) -> Province:
        others = [each for each in province.services if old is None or each.id != old.id]
        return province.model_copy(update={"services": (*others, *([new] if new else []))})

    proposal = await propose(
        ledger,
        change,
        check_service=lambda each, _: faults_of_service(each, contents) if each is new else [],
        operations=operations_of,
        documents=contents,
    )
    await put_in_force(
        ledger, proposal, actor=actor, reason=reason, documents=list(contents.values())
    )


def list_(context: typer.Context, *, json: Json = False) -> None:
    province = Session.of(context).run(lambda ledger: ledger.config.province())
    if json:
        show_json({"items": [_as_json(each) for each in province.services]})
        return
    columns = headings(
        "Dịch vụ|Phiên bản|Tên|Hiện hành|Trạng thái|Được cấp quyền",
        "Service|Version|Title|Current|State|Granted to",
    )
    now = datetime.now(UTC)
    rows = [
        (
            each.name,
            each.version,
            each.title_vi,
            each.current or _is_alone(each, province),
            _state(each, now),
            [
                grant.agency or grant.client
                for grant in province.grants
                if grant.service == each.name
            ],
        )
        for each in province.services
    ]
    show_table(columns, rows, empty=say("Chưa khai báo dịch vụ nào.", "No services."))


def show(context: typer.Context, name: Name, *, json: Json = False) -> None:
    province, service, contract = Session.of(context).run(lambda ledger: _look(ledger, name))
    grants = [each for each in province.grants if each.service == service.name]
    if json:
        shown = _as_json(service) | {
            "grants": [_members(each.model_dump(mode="json")) for each in grants],
            "report": to_json(contract.report()),
        }
        show_json(shown)
        return
    facts = [
        (say("Dịch vụ", "Service"), service.id),
        (say("Tên", "Title"), f"{service.title_vi} {service.title_en}".strip()),
        (say("Trạng thái", "State"), _state(service, datetime.now(UTC))),
        (say("Địa chỉ", "Address"), service.address or say("theo WSDL", "the WSDL's")),
        (say("Xác thực", "Sign-on"), service.sign_on.get("kind", "none")),
        (say("Thời hạn", "Deadline"), f"{service.timeout:g} s"),
        ("WSDL", f"{service.contract.main} ({len(service.contract.documents)})"),
    ]
    show_facts(facts)
    columns = headings(
        "Thao tác|Gọi lại được|Nhớ (s)|Dữ liệu cá nhân|Mục đích",
        "Operation|Idempotent|Cached (s)|Personal|Purpose",
    )
    rows = []
    for operation in contract.operations:
        told = service.settings(operation)
        personal = told.personal is not None
        rows.append(
            (operation, told.idempotent, told.cache_seconds or "", personal, told.needs_purpose)
        )
    show_table(columns, rows, empty="")
    columns = headings(
        "Cấp cho|Thao tác|Trường|Mục đích|Tạm dừng",
        "Granted to|Operations|Fields|Purposes|Suspended",
    )
    cells = [
        (g.agency or g.client, g.operations, g.fields, g.purposes, g.suspended) for g in grants
    ]
    show_table(columns, cells, empty=say("Chưa cấp quyền cho ai.", "Granted to nobody."))


def remove(context: typer.Context, name: Name, *, reason: Reason, json: Json = False) -> None:
    session = Session.of(context)
    service = session.run(lambda ledger: _remove(ledger, name, session.actor, reason))
    if json:
        show_json({"removed": service.id})
        return
    say_line(say(f"✓ Đã bỏ {service.id}.", f"✓ {service.id} is removed."))


async def _remove(ledger: Ledger, name: str, actor: str, reason: str) -> Service:
    province = await ledger.config.province()
    service = find(province, name)
    last = sum(each.name == service.name for each in province.services) == 1
    granted = [each.name for each in province.grants if each.service == service.name]
    if last and granted:
        names = ", ".join(granted)
        raise Conflict(
            f"agencies still may call {service.name} (grants {names}): remove the grants first",
            vi=f"{service.name} còn được cấp quyền ({names}): bỏ cấp quyền trước",
        )
    await _change(ledger, service, None, {}, actor=actor, reason=reason)
    return service


def diff(
    context: typer.Context,
    name: Name,
    other: Annotated[
        str, typer.Argument(help=say("tệp WSDL mới, hoặc tên@phiên bản", "WSDL, or name@version"))
    ],
    *,
    json: Json = False,
) -> None:
    from bus.gateway.translate.differences import differences  # noqa: PLC0415 - late: lxml

    _, _, old = Session.of(context).run(lambda ledger: _look(ledger, name))
    found = differences(old, _other(context, other))
    breaking = [each for each in found if each.breaks]
    if json:
        show_json({"breaking": len(breaking), "differences": [to_json(each) for each in found]})
    else:
        columns = headings(
            "Thao tác|Chiều|Trường|Cũ|Mới|Ảnh hưởng bên gọi",
            "Operation|Side|Member|Old|New|Breaks callers",
        )
        rows = [(e.operation, e.side, e.path, e.old, e.new, e.breaks) for e in found]
        show_table(columns, rows, empty=say("Không khác gì.", "No difference."))
    if breaking:
        raise typer.Exit(PROBLEM)


def _other(context: typer.Context, named: str) -> Contract:
    if "@" in named and not Path(named).exists():
        return Session.of(context).run(lambda ledger: _look(ledger, named))[2]
    from bus.gateway.national import compile_contract  # noqa: PLC0415 - late: lxml
    from bus.ops.province_contracts import read_documents  # noqa: PLC0415

    file = Path(named)
    if not file.is_file():
        raise NotFound(f"there is no file {named}", vi=f"Không có tệp {named}")
    return compile_contract(read_documents(file), file.name)


async def _look(ledger: Ledger, name: str) -> tuple[Province, Service, Contract]:
    from bus.gateway.national import compile_contract, in_force  # noqa: PLC0415 - late: lxml

    province = await ledger.config.province()
    service = find(province, name)
    documents = await ledger.contracts.read(service.contract.documents)
    contract = compile_contract(documents, service.contract.main, names=service.soap)
    return province, in_force(service, contract), contract


def find(province: Province, name: str) -> Service:
    """By name and version, or by the name of the only or current version. Raises NotFound."""
    named = [each for each in province.services if name in {each.id, each.name}]
    current = [each for each in named if each.current]
    found = named if len(named) == 1 else current
    if not found:
        known = ", ".join(each.id for each in province.services)
        raise NotFound(
            f"there is no service {name}; there are: {known}",
            vi=f"Không có dịch vụ {name}; có: {known}",
        )
    return found[0]


def _is_alone(service: Service, province: Province) -> bool:
    return sum(each.name == service.name for each in province.services) == 1


def _state(service: Service, now: datetime) -> str:
    if service.suspended:
        return say("tạm dừng", "suspended")
    away = service.away(now)
    if away is not None:
        return say(f"bảo trì đến {away.ends}", f"maintenance until {away.ends}")
    return say("mở", "open")


def _as_json(service: Service) -> dict[str, Any]:
    return {"id": service.id} | _members(service.model_dump(mode="json"))


def _members(dumped: dict[str, Any]) -> dict[str, Any]:
    """Keys of ours in camelCase; names of operations and documents as they are."""
    return {camel(key): value for key, value in dumped.items()}


def add_to(app: typer.Typer) -> None:
    app.command(
        help=say(
            "Khai báo một dịch vụ từ WSDL (các tệp .wsdl, .xsd cùng thư mục được đọc theo). Phiên "
            "bản đã có thì chỉ thay đặc tả. Có hiệu lực trong một giây; lời gọi dở vẫn xong.",
            "Declare a service from a WSDL (.wsdl and .xsd files beside it are read, too). Of a "
            "version that is there, only the contract is replaced. In force within a second; calls "
            "in hand end as they began.",
        )
        + examples("lgsp service add dan-cu dan-cu/TraCuu.wsdl --reason 'nối dân cư'")
    )(add)
    app.command("list", help=say("Các dịch vụ đã khai báo.", "Services that are declared."))(list_)
    app.command(
        help=say("Một dịch vụ: thao tác, quyền, trạng thái.", "One service: operations, rights.")
        + examples("lgsp service show dan-cu@1")
    )(show)
    app.command(
        help=say("Bỏ một phiên bản của dịch vụ.", "Remove one version of a service.")
        + examples("lgsp service remove dan-cu@1 --reason 'đã chuyển sang @2'")
    )(remove)
    app.command(
        help=say(
            "Đặc tả mới khác đặc tả đang dùng ở đâu. Mã thoát 1 nếu bên gọi có thể hỏng.",
            "Where a new contract differs from the one in use. Exit status 1 if callers may fail.",
        )
        + examples(
            "lgsp service diff dan-cu@1 moi/TraCuu.wsdl", "lgsp service diff dan-cu dan-cu@2"
        )
    )(diff)
