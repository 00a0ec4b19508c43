"""`lgsp plan`, `lgsp apply`, `lgsp export`: the declared configuration in files and in force."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bus.cli.failure import PROBLEM
from bus.cli.lang import say, spoken
from bus.cli.options import Folder, Json, Yes, agreed, examples
from bus.cli.output import camel, console, json_text, printable, say_line, show_json
from bus.cli.session import Session
from bus.ops.wording import DECLARED
from schemas.errors import Conflict, LgspError

if TYPE_CHECKING:
    from bus.ledger.config_store import Change
    from bus.ledger.ledger import Ledger
    from bus.ops.province_change import Proposal
    from schemas.province import Endpoint, Province
    from schemas.service import Service

SIGNS = {"added": ("+", "green"), "changed": ("~", "yellow"), "removed": ("-", "red")}


def plan(context: typer.Context, folder: Folder, *, json: Json = False) -> None:
    session = Session.of(context)
    wanted, documents = _read(folder)
    proposal = session.run(lambda ledger: _propose(ledger, wanted, documents))
    _show(proposal, json=json, applied=None)


def apply(
    context: typer.Context,
    folder: Folder,
    *,
    reason: Annotated[str, typer.Option(help=say("lý do, được lưu lại", "reason, kept"))],
    yes: Yes = False,
    json: Json = False,
) -> None:
    session = Session.of(context)
    wanted, documents = _read(folder)
    proposal = session.run(lambda ledger: _propose(ledger, wanted, documents))
    if not json:
        _show(proposal, json=False, applied=None)
    asks = proposal.plan.changes and not yes and sys.stdin.isatty() and not json
    if asks and not agreed(say("Áp dụng?", "Apply?")):
        raise typer.Exit(PROBLEM)

    from bus.ops.province_change import put_in_force  # noqa: PLC0415 - late, as below

    applied = session.run(
        lambda ledger: put_in_force(
            ledger, proposal, actor=session.actor, reason=reason, documents=documents.values()
        )
    )
    if json:
        _show(proposal, json=True, applied=applied)
    elif proposal.plan.changes:
        say_line(say(f"✓ Đã áp dụng: phiên bản {applied}.", f"✓ Applied: revision {applied}."))


def export(
    context: typer.Context,
    output: Annotated[
        Path,
        typer.Option("-o", "--output", file_okay=False, metavar=say("THƯ_MỤC", "DIR"),
                     help=say("thư mục để ghi", "folder to write to")),
    ],
    *,
    json: Json = False,
) -> None:  # fmt: skip
    # late: pydantic and YAML are behind it
    from bus.ops import province_files  # noqa: PLC0415

    province, contracts = Session.of(context).run(_in_force)
    files = province_files.export(province)
    _refuse_strangers(output)
    output.mkdir(parents=True, exist_ok=True)
    for name in OURS - files.keys():
        (output / name).unlink(missing_ok=True)
    for name, text in files.items():
        (output / name).write_text(text, "utf-8")
    _write_contracts(output, province, contracts)
    written = sorted(str(output / name) for name in (*files, *contracts))
    if json:
        show_json({"files": written})
        return
    for path in written:
        say_line(f"✓ {path}")
    if not written:
        say_line(say("Chưa có khai báo nào để ghi.", "Nothing is declared."))


async def _in_force(ledger: Ledger) -> tuple[Province, dict[str, bytes]]:
    """What is declared, and the documents of contracts by the path they are written to."""
    from bus.ops.province_contracts import files_of  # noqa: PLC0415 - as above

    province = await ledger.config.province()
    contracts: dict[str, bytes] = {}
    for service in province.services:
        contracts |= files_of(service, await ledger.contracts.read(service.contract.documents))
    return province, contracts


def _write_contracts(output: Path, province: Province, contracts: dict[str, bytes]) -> None:
    """What else lies in the folder of a contract would be taken for a part of it."""
    from bus.ops.province_contracts import SUFFIXES, folder_of  # noqa: PLC0415 - as above

    for service in province.services:
        for left in (output / folder_of(service)).rglob("*"):
            if left.suffix.lower() in SUFFIXES:
                left.unlink()
    for name, content in contracts.items():
        (output / name).parent.mkdir(parents=True, exist_ok=True)
        (output / name).write_bytes(content)


OURS = frozenset(
    f"{name}.yaml"
    for name in (
        "agencies",
        "endpoints",
        "routes",
        "subscriptions",
        "mappings",
        "procedures",
        "holidays",
        "services",
        "grants",
        "feeds",
        "clients",
    )
)


def _refuse_strangers(folder: Path) -> None:
    """Files of other names would be read together with ours and declare everything twice."""
    found = sorted(p.name for p in folder.glob("*") if p.suffix in {".yaml", ".yml"})
    if strangers := [name for name in found if name not in OURS]:
        names = ", ".join(strangers)
        raise Conflict(
            f"{folder} holds other declarations ({names}): choose an empty folder",
            vi=f"{folder} đã có khai báo khác ({names}): chọn thư mục trống",
        )


def _read(folder: Path) -> tuple[Province, dict[str, bytes]]:
    from bus.ops import province_files  # noqa: PLC0415 - as above

    return province_files.read_with_documents(folder)


async def _propose(ledger: Ledger, wanted: Province, documents: dict[str, bytes]) -> Proposal:
    from bus.cli.service_check import faults_of_service  # noqa: PLC0415 - as above
    from bus.gateway.national import operations_of  # noqa: PLC0415
    from bus.ops.province_change import propose  # noqa: PLC0415

    def check(service: Service, current: Province) -> list[str]:
        if service in current.services:  # compiled before: a province has dozens
            return []
        return faults_of_service(service, documents)

    return await propose(
        ledger,
        lambda _: wanted,
        check_endpoint=_faults,
        check_service=check,
        operations=operations_of,
        documents=documents,
    )


def _faults(endpoint: Endpoint) -> list[str]:
    """What the endpoint's adapter has to say about its configuration."""
    from adapters import registry  # noqa: PLC0415 - as above

    try:
        registry.parse_config(endpoint.kind, endpoint.config)
    except LgspError as error:
        return [spoken(error.detail)]
    return []


def _show(proposal: Proposal, *, json: bool, applied: int | None) -> None:
    difference, revision = proposal.plan, proposal.revision
    counts = difference.counts()
    if json:
        document: dict[str, Any] = {
            "revision": revision,
            "counts": counts,
            "changes": [_as_json(change) for change in difference.changes],
        }
        if applied is not None:
            document["appliedRevision"] = applied
        show_json(document)
        return
    declared = difference.declared()
    for change in declared:
        sign, style = SIGNS[change.action]
        console().print(f"{sign} {spoken(DECLARED[change.kind])} {change.name}", style=style)
        for name, (old, new) in change.fields().items():
            say_line(f"    {name}: {_short(old)} → {_short(new)}")
    if imported := len(difference.changes) - len(declared):
        say_line(
            say(
                f"~ {imported} cơ quan nhập từ danh bạ của đối tác (xem: --json)",
                f"~ {imported} agencies imported from a partner's directory (see --json)",
            )
        )
    say_line(
        say(
            f"Phiên bản {revision}: thêm {counts['added']}, sửa {counts['changed']}, "
            f"bỏ {counts['removed']}.",
            f"Revision {revision}: {counts['added']} to add, {counts['changed']} to change, "
            f"{counts['removed']} to remove.",
        )
    )


def _as_json(change: Change) -> dict[str, Any]:
    fields = [
        {"field": camel(name), "old": old, "new": new}
        for name, (old, new) in change.fields().items()
    ]
    return {"action": change.action, "kind": change.kind, "name": change.name, "fields": fields}


def _short(value: object) -> str:
    return printable(" ".join(json_text(value).split()))


def add_to(app: typer.Typer) -> None:
    panel = say("Khai báo", "Declare")
    app.command(
        rich_help_panel=panel,
        help=say(
            "Khác biệt giữa tệp và cấu hình đang dùng.", "How files differ from what is in force."
        )
        + examples("lgsp plan -f province/"),
    )(plan)
    app.command(
        rich_help_panel=panel,
        help=say(
            "Áp dụng khai báo trong tệp; tiến trình đang chạy theo kịp trong một giây.",
            "Put what files declare in force; running processes follow within a second.",
        )
        + examples("lgsp apply -f province/ --reason 'thêm Sở Y tế'"),
    )(apply)
    app.command(
        rich_help_panel=panel,
        help=say("Ghi cấu hình đang dùng ra tệp.", "Write what is in force to files.")
        + examples("lgsp export -o province/"),
    )(export)
