"""`lgsp agency list`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from bus.cli.lang import say
from bus.cli.options import Json, Limit, examples
from bus.cli.output import cell, console, headings, note, printable, show_json, show_table, to_json
from bus.cli.session import Session
from schemas.errors import NotFound

if TYPE_CHECKING:
    from rich.tree import Tree

    from routing.directory import Directory
    from schemas.province import Agency

agency_app = typer.Typer(no_args_is_help=True, help=say("Danh bạ cơ quan.", "The directory."))


@agency_app.command(
    "list",
    help=say("Tìm theo mã hoặc tên, có dấu hay không.", "Search by code or name.")
    + examples("lgsp agency list 'so y te'", "lgsp agency list --tree --under H38"),
)
def list_(
    context: typer.Context,
    text: Annotated[str, typer.Argument(help=say("các từ cần tìm", "words to find"))] = "",
    *,
    under: Annotated[
        str | None, typer.Option(help=say("chỉ cơ quan này và cấp dưới", "only it and those below"))
    ] = None,
    tree: Annotated[bool, typer.Option("--tree", help=say("vẽ theo cấp", "as a tree"))] = False,
    after: Annotated[
        str | None, typer.Option(help=say("trang sau mã này", "page after it"))
    ] = None,
    limit: Limit = 50,
    json: Json = False,
) -> None:
    province = Session.of(context).run(lambda ledger: ledger.config.province())
    # late: pydantic is behind it
    from routing.directory import Directory, tidy  # noqa: PLC0415

    directory = Directory(province.agencies)
    root = None if under is None else tidy(under)
    if root is not None and directory.get(root) is None:
        raise NotFound(f"no agency {root[:40]}", vi=f"không có cơ quan {root[:40]}")
    if tree:
        _show_tree(directory, root)
        return
    within = None if root is None else {root, *directory.descendants(root)}
    found = _search(directory, text, within, after, limit)
    following = found[-1].code if len(found) == limit else None
    if json:
        items = [_as_json(directory, agency) for agency in found]
        show_json({"items": items, "next": following})
        return
    columns = headings("Mã|Tên|Cấp trên|Bí danh|Điểm kết nối", "Code|Name|Parent|Aliases|Endpoint")
    cells = [
        (a.code, a.name, a.parent, [alias.code for alias in a.aliases], _endpoint(directory, a))
        for a in found
    ]
    empty = say("Không có cơ quan nào.", "No agencies.")
    show_table(columns, cells, empty=empty)
    if following:
        note(say(f"Trang sau: --after {following}", f"Next page: --after {following}"))


def _search(
    directory: Directory, text: str, within: set[str] | None, after: str | None, limit: int
) -> list[Agency]:
    if within is None:
        return directory.search(text, limit, after)
    found = directory.search(text, len(directory), after)
    return [agency for agency in found if agency.code in within][:limit]


def _as_json(directory: Directory, agency: Agency) -> Any:
    connection = directory.endpoint_of(agency)
    return to_json(agency.model_dump(mode="json")) | {
        "endpoint": connection.endpoint if connection else None,
        "inheritedFrom": connection.inherited_from if connection else None,
    }


def _endpoint(directory: Directory, agency: Agency) -> str:
    connection = directory.endpoint_of(agency)
    if connection is None:
        return ""
    source = connection.inherited_from
    return f"{connection.endpoint} (← {source})" if source else connection.endpoint


def _show_tree(directory: Directory, root: str | None) -> None:
    """Agencies below their parents, each with the endpoint that serves it."""
    from rich.tree import Tree  # noqa: PLC0415 - late: only needed here

    branches: dict[str, Tree] = {}
    trunk = Tree(cell(say("Danh bạ", "Directory")))
    wanted = set(directory.descendants(root)) | {root} if root else None
    for agency in _parents_first(directory):
        if wanted is not None and agency.code not in wanted:
            continue
        above = branches.get(agency.parent or "", trunk)
        endpoint = _endpoint(directory, agency)
        text = f"{agency.code}  {agency.name}" + (f"  → {endpoint}" if endpoint else "")
        branches[agency.code] = above.add(cell(printable(text)))
    console().print(trunk)


def _parents_first(directory: Directory) -> list[Agency]:
    def depth(agency: Agency) -> int:
        steps = 0
        above: Agency | None = agency
        while above is not None and above.parent is not None:
            above, steps = directory.get(above.parent), steps + 1
        return steps

    return sorted(directory, key=lambda agency: (depth(agency), agency.code))


def add_to(app: typer.Typer) -> None:
    panel = say("Khai báo", "Declare")
    app.add_typer(agency_app, name="agency", rich_help_panel=panel)
