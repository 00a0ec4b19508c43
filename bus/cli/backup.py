"""`lgsp backup`, `lgsp restore`."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bus.cli.failure import PROBLEM
from bus.cli.lang import say
from bus.cli.options import Json, examples
from bus.cli.output import progress, say_line, show_json
from bus.cli.session import Session
from schemas.errors import ConfigurationError
from schemas.instant import to_datetime, to_iso

if TYPE_CHECKING:
    from bus.ledger.backup import Manifest
    from bus.settings import Settings

BLOBS = "blobs"


def backup(
    context: typer.Context,
    folder: Annotated[
        Path,
        typer.Argument(
            help=say("thư mục chứa các bản sao; nên ở máy khác", "folder of copies; elsewhere")
        ),
    ],
    *,
    json: Json = False,
) -> None:
    settings = Session.of(context).settings
    made, manifest = asyncio.run(_copy(settings, folder))
    rows = sum(each.rows for each in manifest.tables)
    if json:
        show_json(
            {
                "folder": str(made),
                "begunAt": to_iso(manifest.begun_at),
                "rows": rows,
                "blobs": manifest.blobs,
            }
        )
        return
    say_line(
        say(
            f"✓ Đã sao lưu vào {made}: {rows} dòng, {manifest.blobs} tệp lớn. Bí mật "
            "(secrets_dir) không nằm trong bản sao: cất riêng.",
            f"✓ Backup in {made}: {rows} rows, {manifest.blobs} large originals. Secrets "
            "(secrets_dir) are not in it: keep them apart.",
        )
    )


def restore(
    context: typer.Context,
    copy: Annotated[
        Path, typer.Argument(exists=True, file_okay=False, help=say("bản sao", "the copy"))
    ],
    *,
    json: Json = False,
) -> None:
    session = Session.of(context)
    manifest, problems, waiting = asyncio.run(_restore(session, copy))
    if json:
        show_json({"begunAt": to_iso(manifest.begun_at), "open": waiting, "problems": problems})
    else:
        for problem in problems:
            say_line(f"✗ {problem}", style="red")
        at = to_datetime(manifest.begun_at).astimezone().strftime("%Y-%m-%d %H:%M:%S")
        say_line(
            say(
                f"Sổ cái như lúc {at}; {waiting} chuyển phát chưa xong sẽ đi tiếp khi trục chạy "
                "(hỏi đối tác trước, nếu hỏi được). Thông điệp nhận sau lúc đó: đề nghị nơi gửi "
                "gửi lại.",
                f"The ledger as it was at {at}; {waiting} open deliveries go on when the bus runs "
                "(partners are asked first, where they can be). Ask senders to send again what "
                "they sent since.",
            )
        )
    if problems:
        raise typer.Exit(PROBLEM)


async def _copy(settings: Settings, folder: Path) -> tuple[Path, Manifest]:
    # late: SQLAlchemy is needed here only
    from schemas import instant  # noqa: PLC0415

    made = folder / f"lgsp-{to_datetime(instant.now()).strftime('%Y%m%dT%H%M%S%fZ')}"
    made.mkdir(parents=True)
    try:
        return made, await _fill(settings, made)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)  # half a copy must not look like one
        raise


async def _fill(settings: Settings, made: Path) -> Manifest:
    from bus.ledger.backup import copy_blobs, copying  # noqa: PLC0415 - as above
    from bus.ledger.blobs import BlobStore  # noqa: PLC0415

    async with copying(settings.database_url, made) as source:
        names = await source.blobs()
        with progress(say("tệp lớn", "large originals"), len(names)) as seen:
            there, copies = BlobStore(settings.blob_dir), BlobStore(made.parent / BLOBS)
            bad = await copy_blobs(names, there, copies, seen)
        if bad:
            raise _incomplete(settings.blob_dir, bad)
        with progress(say("dòng", "rows"), await source.rows()) as seen:
            return await source.finish(len(names), seen)


async def _restore(session: Session, copy: Path) -> tuple[Manifest, list[str], int]:
    from bus.ledger import backup  # noqa: PLC0415 - as above
    from bus.ledger.blobs import BlobStore  # noqa: PLC0415
    from bus.ledger.ledger import Ledger  # noqa: PLC0415
    from bus.ledger.migrate import migrate  # noqa: PLC0415

    settings = session.settings
    manifest = backup.read_manifest(copy)
    await backup.restore(settings.database_url, copy, manifest)
    with progress(say("dòng", "rows"), sum(each.rows for each in manifest.tables)) as seen:
        found = await backup.differences(settings.database_url, manifest, seen)
    problems = [say(*each) for each in found]
    names = await backup.needed_blobs(settings.database_url)
    with progress(say("tệp lớn", "large originals"), len(names)) as seen:
        store = BlobStore(copy.parent / BLOBS)
        bad = await backup.copy_blobs(names, store, BlobStore(settings.blob_dir), seen)
    problems += [say(f"tệp {name} thiếu hoặc hỏng", f"{name} missing or damaged") for name in bad]
    await migrate(settings.database_url)
    ledger = await Ledger.open(settings.database_url, settings.blob_dir, actor=session.actor)
    try:
        waiting = await ledger.note_restored(copied_at=manifest.begun_at, actor=session.actor)
    finally:
        await ledger.close()
    return manifest, problems, waiting


def _incomplete(folder: Path, bad: list[str]) -> ConfigurationError:
    named = ", ".join(bad[:3])
    return ConfigurationError(
        f"{len(bad)} large originals are missing or damaged in {folder}: {named}. No backup was "
        "made. The administrator checks the disk and brings the files back from the last backup.",
        vi=f"{len(bad)} tệp lớn thiếu hoặc hỏng trong {folder}: {named}. Chưa tạo bản sao. Quản "
        "trị kiểm tra ổ đĩa và lấy lại tệp từ bản sao lưu trước.",
    )


def add_to(app: typer.Typer) -> None:
    panel = say("Sao lưu", "Backup")
    app.command(
        rich_help_panel=panel,
        help=say(
            "Sao lưu sổ cái và tệp lớn trong khi trục chạy; mọi gì đã có biên nhận trước đó đều "
            "nằm trong bản sao.",
            "Back up the ledger and large originals while the bus runs; what had a receipt before "
            "is in it.",
        )
        + examples("lgsp backup /mnt/backup"),
    )(backup)
    app.command(
        rich_help_panel=panel,
        help=say(
            "Dựng lại sổ cái từ một bản sao vào chỗ trống; kiểm tra từng bảng.",
            "Make the ledger anew from a copy, in an empty place; every table is checked.",
        )
        + examples("lgsp restore /mnt/backup/lgsp-20261124T020000000000Z"),
    )(restore)
