"""`lgsp axis sync|agencies|register|remove`: the agency directory of a national axis."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from bus.cli.lang import say
from bus.cli.options import Json, Limit, Yes, agreed, examples
from bus.cli.output import headings, progress, say_line, show_json, show_table, to_json
from bus.cli.session import Session
from schemas.errors import InvalidRequest, NotFound

if TYPE_CHECKING:
    from bus.engine.directories import Difference
    from bus.ledger.config_store import Change
    from bus.ledger.ledger import Ledger
    from schemas.adapter import DirectorySource
    from schemas.province import Agency, Province

T = TypeVar("T")

axis_app = typer.Typer(
    no_args_is_help=True, help=say("Danh bạ của trục quốc gia.", "The directory of an axis.")
)

Name = Annotated[
    str,
    typer.Argument(
        metavar=say("ĐIỂM_KẾT_NỐI", "ENDPOINT"),
        help=say("điểm kết nối tới trục", "endpoint of the axis"),
    ),
]
Code = Annotated[
    str, typer.Argument(metavar=say("CƠ_QUAN", "AGENCY"), help=say("mã cơ quan", "its code"))
]
Endpoint = Annotated[
    str, typer.Option("--endpoint", help=say("điểm kết nối tới trục", "endpoint of the axis"))
]
SIGNS = {"added": "+", "changed": "~", "removed": "-"}
EXPECTED_ROWS = 120_000
"""How long the bar is before a directory was ever read."""


@axis_app.command(
    "sync",
    help=say(
        "Đọc danh bạ của trục, ghi khác biệt thành cấu hình.",
        "Read the axis's directory and put what differs in force.",
    )
    + examples("lgsp axis sync truc --dry-run", "lgsp axis sync truc"),
)
def sync(
    context: typer.Context,
    endpoint: Name,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help=say("chỉ xem khác biệt", "only show differences"))
    ] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help=say("cả khi hụt quá một nửa", "even if more than half is gone")
        ),
    ] = False,
    limit: Limit = 50,
    json: Json = False,
) -> None:
    session = Session.of(context)

    async def act(ledger: Ledger) -> tuple[Difference, int]:
        # late: the engine is behind it
        from bus.engine.directories import apply, compare  # noqa: PLC0415

        expected = await ledger.config.revision()
        province = await ledger.config.province()
        known = sum(agency.source == endpoint for agency in province.agencies)
        title = say(f"Danh bạ {endpoint}", f"Directory of {endpoint}")

        async def read(source: DirectorySource) -> Difference:
            with progress(title, known or EXPECTED_ROWS) as advance:
                return await compare(
                    source, endpoint, province.agencies, force=force, progress=advance
                )

        found = await _at(session, province, endpoint, read)
        if dry_run:
            return found, expected
        revision = await apply(ledger, endpoint, found, expected=expected, actor=session.actor)
        return found, revision

    found, revision = session.run(act)
    _show(found, revision, dry_run=dry_run, limit=limit, json=json)


def _show(found: Difference, revision: int, *, dry_run: bool, limit: int, json: bool) -> None:
    if json:
        changes = [_as_json(change) for change in found.changes]
        show_json(
            {
                "rows": found.rows,
                "unusable": found.unusable,
                "agencies": found.agencies,
                "changes": changes,
                "dryRun": dry_run,
                "revision": revision,
            }
        )
        return
    for change in found.changes[:limit]:
        item = change.new or change.old
        say_line(f"{SIGNS[change.action]} {change.name}  {getattr(item, 'name', '')}")
    if (more := len(found.changes) - limit) > 0:
        say_line(say(f"… và {more} thay đổi nữa", f"… and {more} more changes"))
    done = say("chưa ghi gì", "nothing written") if dry_run else ""
    say_line(
        say(
            f"✓ {found.rows} dòng, {found.agencies} cơ quan, {len(found.changes)} thay đổi,"
            f" {found.unusable} dòng sai mã; phiên bản {revision} {done}",
            f"✓ {found.rows} rows, {found.agencies} agencies, {len(found.changes)} changes,"
            f" {found.unusable} rows without a usable code; revision {revision} {done}",
        ).strip()
    )


def _as_json(change: Change) -> dict[str, object]:
    item = change.new or change.old
    return {"action": change.action, "code": change.name, "name": getattr(item, "name", "")}


@axis_app.command(
    "agencies",
    help=say("Tìm trong danh bạ đã nhập từ trục.", "Search what was imported from the axis.")
    + examples("lgsp axis agencies truc 'so y te'"),
)
def agencies(
    context: typer.Context,
    endpoint: Name,
    text: Annotated[str, typer.Argument(help=say("các từ cần tìm", "words to find"))] = "",
    *,
    limit: Limit = 50,
    json: Json = False,
) -> None:
    province = Session.of(context).run(lambda ledger: ledger.config.province())
    # late: pydantic is behind it
    from routing.directory import Directory  # noqa: PLC0415

    imported = Directory(agency for agency in province.agencies if agency.source == endpoint)
    found = imported.search(text, limit)
    if json:
        show_json({"items": [to_json(each.model_dump(mode="json")) for each in found]})
        return
    cells = [(each.code, each.name, [alias.code for alias in each.aliases]) for each in found]
    empty = say("Không có cơ quan nào; đồng bộ: lgsp axis sync", "No agencies: lgsp axis sync")
    show_table(headings("Mã|Tên|Bí danh", "Code|Name|Aliases"), cells, empty=empty)


@axis_app.command(
    "register",
    help=say("Đăng ký cơ quan của mình tại trục.", "Register an agency of ours at the axis.")
    + examples("lgsp axis register H38.01 --endpoint truc"),
)
def register(context: typer.Context, agency: Code, *, endpoint: Endpoint) -> None:
    session = Session.of(context)

    async def act(ledger: Ledger) -> None:
        province = await ledger.config.province()
        declared = _ours(province, agency, endpoint)

        async def tell(source: DirectorySource) -> None:
            await source.register(declared.code, declared.name)

        await _at(session, province, endpoint, tell)
        await _note(ledger, session, "agency-registered", endpoint, declared.code)

    session.run(act)
    say_line(say(f"✓ {agency}: đã đăng ký tại {endpoint}", f"✓ {agency}: registered at {endpoint}"))


@axis_app.command(
    "remove",
    help=say("Gỡ cơ quan của mình khỏi trục.", "Remove an agency of ours from the axis.")
    + examples("lgsp axis remove H38.01 --endpoint truc"),
)
def remove(context: typer.Context, agency: Code, *, endpoint: Endpoint, yes: Yes = False) -> None:
    asked = say(
        f"Gỡ {agency} khỏi {endpoint}? Tỉnh khác sẽ không gửi tới được.",
        f"Remove {agency} from {endpoint}? Others can no longer send to it.",
    )
    if not yes and not agreed(asked):
        raise typer.Exit(1)
    session = Session.of(context)

    async def act(ledger: Ledger) -> None:
        province = await ledger.config.province()
        await _at(session, province, endpoint, lambda source: source.remove(agency))
        await _note(ledger, session, "agency-unregistered", endpoint, agency)

    session.run(act)
    say_line(say(f"✓ {agency}: đã gỡ khỏi {endpoint}", f"✓ {agency}: removed from {endpoint}"))


def _ours(province: Province, code: str, endpoint: str) -> Agency:
    """Only what the administrator declared, and what the axis does not serve itself."""
    for agency in province.agencies:
        if agency.code == code and agency.source is None and agency.endpoint != endpoint:
            return agency
    raise NotFound(
        f"{code[:40]} is no declared agency of this bus: declare it first (lgsp apply)",
        vi=f"{code[:40]} không phải cơ quan do trục này khai báo: khai báo trước (lgsp apply)",
    )


async def _at(
    session: Session, province: Province, name: str, work: Callable[[DirectorySource], Awaitable[T]]
) -> T:
    """`work` with the adapter of the endpoint. Raises NotFound, InvalidRequest, PartnerError."""
    # late: the adapters and the whole bus are behind it
    from adapters.http import open_session  # noqa: PLC0415
    from bus.app import adapter_maker  # noqa: PLC0415
    from schemas.adapter import DirectorySource  # noqa: PLC0415

    declared = next((each for each in province.endpoints if each.name == name), None)
    if declared is None:
        raise NotFound(f"no endpoint {name[:60]}", vi=f"không có điểm kết nối {name[:60]}")
    async with open_session() as http:
        adapter = adapter_maker(session.settings, http)(declared)
        try:
            if not isinstance(adapter, DirectorySource):
                raise InvalidRequest(
                    f"{name} ({declared.kind}) keeps no directory: name the endpoint of an axis",
                    vi=f"{name} ({declared.kind}) không có danh bạ: chọn điểm kết nối tới trục",
                )
            return await work(adapter)
        finally:
            await adapter.close()


async def _note(ledger: Ledger, session: Session, event: str, endpoint: str, code: str) -> None:
    data = {"endpoint": endpoint, "agency": code}
    await ledger.note(event, actor=session.actor, data=data)


def add_to(app: typer.Typer) -> None:
    panel = say("Khai báo", "Declare")
    app.add_typer(axis_app, name="axis", rich_help_panel=panel)
