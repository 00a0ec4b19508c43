"""`lgsp dossier reconcile`: one-stop lists, ledger and portals held against each other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bus.cli.dossier import Agency, dossier_app
from bus.cli.failure import PROBLEM
from bus.cli.lang import say
from bus.cli.options import Json, Limit, Since, examples
from bus.cli.output import headings, note, progress, say_line, show_json, show_table
from bus.cli.session import Session
from schemas import instant
from schemas.errors import InvalidRequest, NotFound
from schemas.instant import SECOND

if TYPE_CHECKING:
    from bus.engine.live import Snapshot
    from bus.engine.reconcile import Desk, Report, Scope
    from bus.ledger.ledger import Ledger
    from schemas.adapter import Adapter
    from schemas.province import Endpoint

DEFAULT_DAYS = 30
WATCHED = 20  # dossiers from which on a bar is shown: each is a call to a partner


@dossier_app.command(
    "reconcile",
    help=say(
        "Đối soát một cửa ↔ sổ cái ↔ cổng; gửi lại phần thiếu, báo cáo phần còn lại."
        " Mã thoát 1: còn sai lệch.",
        "Reconcile one-stop systems, ledger and portals; send what is missing, report the rest."
        " Exit status 1: discrepancies are left.",
    )
    + examples(
        "lgsp dossier reconcile --dry-run",
        "lgsp dossier reconcile cong-dvcqg --since 90d --output doi-soat.csv",
    ),
)
def reconcile(
    context: typer.Context,
    endpoints: Annotated[
        list[str] | None,
        typer.Argument(
            metavar=say("ĐIỂM_KẾT_NỐI", "ENDPOINT"),
            help=say("mặc định: mọi điểm đối soát được", "default: all that can be"),
        ),
    ] = None,
    *,
    since: Since = None,
    agency: Agency = None,
    codes: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help=say(
                "tệp mã hồ sơ, mỗi dòng một mã, tra cứu thêm ở cổng",
                "file of dossier codes, one a line, to look up at portals beside",
            ),
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help=say("chỉ xem, không gửi lại", "only look"))
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(help=say("ghi báo cáo ra tệp .csv hoặc .json", "report to a .csv or .json")),
    ] = None,
    limit: Limit = 50,
    json: Json = False,
) -> None:
    session = Session.of(context)
    if since is None:
        since = instant.now() - DEFAULT_DAYS * 86_400 * SECOND

    async def act(ledger: Ledger) -> list[Report]:
        # late: the engine is behind it
        from bus.engine.reconcile import Scope  # noqa: PLC0415

        senders = frozenset({agency}) if agency else None
        wanted = tuple(codes.read_text().split()) if codes is not None else ()
        scope = Scope(since, senders, wanted)
        return await _all(session, ledger, endpoints or [], scope, dry_run=dry_run)

    reports = session.run(act)
    if output is not None:
        _write(output, reports)
    _show(reports, limit=limit, json=json)
    if any(report.unanswered or report.left for report in reports):
        raise typer.Exit(PROBLEM)


async def _all(
    session: Session, ledger: Ledger, names: list[str], scope: Scope, *, dry_run: bool
) -> list[Report]:
    """Sources first: what they bring goes on to the portals by itself."""
    # late: the adapters and the whole bus are behind it
    from adapters import registry  # noqa: PLC0415
    from adapters.http import open_session  # noqa: PLC0415
    from bus.app import adapter_maker, partner_sessions  # noqa: PLC0415
    from bus.engine.live import LiveConfig  # noqa: PLC0415
    from bus.engine.reconcile import Desk  # noqa: PLC0415

    settings, live = session.settings, LiveConfig(ledger.config)
    await live.start()
    manifests = {kind: each.manifest for kind, each in registry.adapters().items()}
    reports: list[Report] = []
    try:
        async with open_session() as http:
            create = adapter_maker(settings, http, partner_sessions(settings, ledger))
            for endpoint in _ordered(live.snapshot, names):
                adapter = create(endpoint)
                total = await ledger.reconciling.count(since=scope.since, senders=scope.senders)
                title = say(f"Đối soát {endpoint.name}", f"Reconcile {endpoint.name}")
                try:
                    with progress(title, total + len(scope.codes), least=WATCHED) as advance:
                        desk = Desk(
                            ledger, live.snapshot, manifests, session.actor, dry_run, advance
                        )
                        reports += await _one(desk, endpoint, adapter, scope, named=bool(names))
                finally:
                    await adapter.close()
    finally:
        await live.close()
    return reports


def _ordered(snapshot: Snapshot, names: list[str]) -> list[Endpoint]:
    """Raises NotFound."""
    for name in names:
        if name not in snapshot.endpoints:
            raise NotFound(f"no endpoint {name[:60]}", vi=f"không có điểm kết nối {name[:60]}")
    found = [snapshot.endpoints[name] for name in names or sorted(snapshot.endpoints)]
    return sorted(found, key=lambda endpoint: not endpoint.speaks_for)


async def _one(
    desk: Desk, endpoint: Endpoint, adapter: Adapter, scope: Scope, *, named: bool
) -> list[Report]:
    """Raises InvalidRequest for one that was named and cannot be reconciled."""
    from bus.engine.reconcile_portal import with_portal  # noqa: PLC0415 - as above
    from bus.engine.reconcile_source import with_source  # noqa: PLC0415
    from schemas.adapter import DossierLookup, DossierSource  # noqa: PLC0415

    if isinstance(adapter, DossierLookup | DossierSource):
        if not named and adapter.reconciling is None:
            return []
        if isinstance(adapter, DossierLookup):
            return [await with_portal(desk, endpoint, adapter, scope)]
        return [await with_source(desk, endpoint, adapter, scope)]
    if not named:
        return []
    raise InvalidRequest(
        f"{endpoint.name} ({endpoint.kind}) can neither list nor look up dossiers",
        vi=f"{endpoint.name} ({endpoint.kind}) không liệt kê và không tra cứu được hồ sơ",
    )


def _write(output: Path, reports: list[Report]) -> None:
    import orjson  # noqa: PLC0415 - as above

    from bus.engine import reconcile_report  # noqa: PLC0415
    from bus.ops import reports as files  # noqa: PLC0415

    if output.suffix == ".csv":
        rows = [reconcile_report.row(each) for r in reports for each in r.discrepancies]
        table: list[list[str | int]] = [list(reconcile_report.COLUMNS)]
        table += [[files.plain(cell) for cell in row] for row in rows]
        output.write_bytes(files.to_csv(table))
    else:
        told = {"items": [reconcile_report.to_json(each) for each in reports]}
        output.write_bytes(orjson.dumps(told, option=orjson.OPT_INDENT_2))
    note(say(f"Đã ghi {output}", f"Written: {output}"))


def _show(reports: list[Report], *, limit: int, json: bool) -> None:
    from bus.engine import reconcile_report  # noqa: PLC0415 - as above

    if json:
        show_json({"items": [reconcile_report.to_json(each) for each in reports]})
        return
    rows = [reconcile_report.row(each) for report in reports for each in report.discrepancies]
    columns = headings(
        "Điểm kết nối|Hồ sơ|Cơ quan|Bên sai|Sai lệch|Trường|Cách xử lý|Đã làm|Lý do",
        "Endpoint|Dossier|Agency|Side|Fault|Fields|Remedy|Done|Why",
    )
    show_table(columns, rows[:limit], empty=say("Không có sai lệch.", "No discrepancies."))
    if (more := len(rows) - limit) > 0:
        say_line(say(f"… và {more} sai lệch nữa", f"… and {more} more"))
    for each in reports:
        say_line(
            say(
                f"{each.endpoint}: so {each.compared} hồ sơ, {len(each.discrepancies)} sai lệch,"
                f" đã xử lý {each.healed}; {each.on_their_way} đang trên đường,"
                f" {each.unanswered} không tra cứu được",
                f"{each.endpoint}: {each.compared} dossiers compared,"
                f" {len(each.discrepancies)} discrepancies, {each.healed} healed;"
                f" {each.on_their_way} on their way, {each.unanswered} unanswered",
            )
        )
        if each.trouble:
            say_line(f"✗ {each.endpoint}: {each.trouble}")


def add_to(app: typer.Typer) -> None:
    """The command stands in the group of dossiers, which adds itself."""
    del app
