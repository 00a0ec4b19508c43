"""`lgsp service job send`: as a system of an agency, over HTTP, with its own key.

Only who sends a job reads its results, so this needs the client's key and no ledger: it works from
any machine that reaches the bus.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote, urlencode

import orjson
import typer

from bus.cli.failure import PROBLEM
from bus.cli.lang import say
from bus.cli.options import examples
from bus.cli.output import progress, say_line
from schemas.errors import Forbidden, InvalidRequest, LgspError, NotFound, Unauthenticated
from schemas.errors import Unavailable as Away

if TYPE_CHECKING:
    import aiohttp

LOOK_SECONDS = 0.5
WAIT_SECONDS = 60.0  # for one answer; results come in pieces
_OPEN = frozenset({"queued", "running"})
_ERRORS: dict[int, type[LgspError]] = {
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    429: Away,
    503: Away,
}


@dataclass(frozen=True, slots=True)
class _Sender:
    """Who sends what where."""

    url: str
    client: str
    key: str = field(repr=False)
    headers: dict[str, str]
    path: str
    questions: bytes = field(repr=False)


def send(
    service: Annotated[str, typer.Argument(help=say("dịch vụ", "service, or service@version"))],
    operation: Annotated[str, typer.Argument(help=say("thao tác", "operation"))],
    *,
    data: Annotated[
        Path,
        typer.Option(
            "-d",
            "--data",
            exists=True,
            dir_okay=False,
            help=say("câu hỏi, mỗi dòng một JSON", "questions, one JSON a line"),
        ),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", help=say("tệp kết quả", "file for the results"))
    ],
    client: Annotated[str, typer.Option(help=say("mã hệ thống (client_id)", "client_id"))],
    key_file: Annotated[
        Path,
        typer.Option(
            allow_dash=True, help=say("tệp chứa khóa; - đọc từ stdin", "file with the key, or -")
        ),
    ],
    url: Annotated[
        str, typer.Option(help=say("địa chỉ trục", "where the bus is"))
    ] = "http://127.0.0.1:8080",
    officer: Annotated[str, typer.Option(help=say("mã cán bộ", "officer"))] = "",
    purpose: Annotated[str, typer.Option(help=say("mục đích", "purpose"))] = "",
    as_of: Annotated[
        str, typer.Option(help=say("theo ngày, 2026-01-31", "as of a day, 2026-01-31"))
    ] = "",
    ref: Annotated[
        str, typer.Option(help=say("mã lô của bên gửi: gửi lại không hỏi lại", "Idempotency-Key"))
    ] = "",
) -> None:
    key = sys.stdin.readline() if str(key_file) == "-" else key_file.read_text("utf-8")
    said = {"Lgsp-Officer": officer, "Lgsp-Purpose": purpose, "Idempotency-Key": ref}
    query = f"?{urlencode({'asOf': as_of})}" if as_of else ""
    path = f"/services/{quote(service, safe='@')}/{quote(operation, safe='')}/jobs{query}"
    sender = _Sender(
        url.rstrip("/"),
        client,
        key.strip(),
        {name: quote(text) for name, text in said.items() if text},
        path,
        data.read_bytes(),
    )
    job = asyncio.run(_sent(sender, output))
    text = f"{job['answered']}/{job['total']}"
    say_line(
        say(
            f"✓ Lô {job['id']}: trả lời {text}, lỗi {job['failed']}; kết quả ở {output}",
            f"✓ Job {job['id']}: {text} answered, {job['failed']} failed; results in {output}",
        )
    )
    if job["failed"] or job["state"] != "done":
        raise typer.Exit(PROBLEM)


async def _sent(sender: _Sender, output: Path) -> dict[str, Any]:
    """The job as it ended, its results written. Raises LgspError."""
    from adapters.http import open_session  # noqa: PLC0415 - late: aiohttp

    async with open_session() as http:
        form = {
            "grant_type": "client_credentials",
            "client_id": sender.client,
            "client_secret": sender.key,
        }
        media = {"Content-Type": "application/x-www-form-urlencoded"}
        token = await _json(http, "POST", f"{sender.url}/api/v1/token", media, urlencode(form))
        bearer = {"Authorization": f"Bearer {token['access_token']}"}
        headers = bearer | sender.headers
        job = await _json(http, "POST", sender.url + sender.path, headers, sender.questions)
        place = f"{sender.url}/api/v1/service-jobs/{job['id']}"
        with progress(say("câu hỏi", "questions"), job["total"], least=1) as advance:
            advance(job["answered"])
            while job["state"] in _OPEN:
                await asyncio.sleep(LOOK_SECONDS)
                now = await _json(http, "GET", place, bearer)
                advance(now["answered"] - job["answered"])
                job = now
        await _download(http, f"{place}/results", bearer, output)
    return job


async def _download(
    http: aiohttp.ClientSession, url: str, headers: dict[str, str], output: Path
) -> None:
    """Beside its place first: a file of that name is whole."""
    part = output.with_name(f"{output.name}.part")
    async with _answer(http, "GET", url, headers) as response:
        with part.open("wb") as file:
            async for piece in response.content.iter_any():
                file.write(piece)
    part.replace(output)


async def _json(
    http: aiohttp.ClientSession,
    method: str,
    url: str,
    headers: dict[str, str],
    data: str | bytes = b"",
) -> dict[str, Any]:
    async with _answer(http, method, url, headers, data) as response:
        found: dict[str, Any] = orjson.loads(await response.read())
        return found


@asynccontextmanager
async def _answer(
    http: aiohttp.ClientSession,
    method: str,
    url: str,
    headers: dict[str, str],
    data: str | bytes = b"",
) -> AsyncIterator[aiohttp.ClientResponse]:
    """A good answer. Raises what the bus says is wrong, Unavailable when it is not there."""
    import aiohttp  # noqa: PLC0415 - late

    limit = aiohttp.ClientTimeout(total=None, connect=WAIT_SECONDS, sock_read=WAIT_SECONDS)
    body = data.encode() if isinstance(data, str) else data
    try:
        async with http.request(
            method, url, headers=headers, data=body or None, timeout=limit, allow_redirects=False
        ) as response:
            if response.status >= 300:
                raise _problem(response.status, await response.read())
            yield response
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Away(
            f"the bus at {url.partition('/api')[0].partition('/services')[0]} does not answer "
            f"({type(error).__name__})",
            vi="Trục không trả lời: kiểm tra --url",
        ) from None


def _problem(status: int, body: bytes) -> LgspError:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        found = {}
    found = found if isinstance(found, dict) else {}
    words = str(found.get("detailEn") or found.get("error_description") or f"HTTP {status}")
    kind = _ERRORS.get(status, InvalidRequest)
    return kind(words, vi=str(found.get("detailVi") or words))


def add_to(app: typer.Typer) -> None:
    app.command(
        "send",
        help=say(
            "Gửi lô câu hỏi thay một hệ thống, theo dõi bằng thanh tiến độ, tải kết quả. Mã thoát "
            "1 nếu có câu hỏi lỗi.",
            "Send a job as a client, follow it with a progress bar, download its results. Exit "
            "status 1 if a question failed.",
        )
        + examples(
            "lgsp service job send dan-cu lookUp -d hoi.ndjson -o kq.ndjson --client so-tu-phap "
            "--key-file khoa --officer CB-01 --purpose 'khai sinh'"
        ),
    )(send)
