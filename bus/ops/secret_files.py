"""Secrets of endpoints put into the folder of secrets: made here, or handed over by a partner.

A secret is never written over: another one has another name, which the endpoint is then told.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
from pathlib import Path

from bus.ledger import secret_lives
from bus.ledger.ledger import Ledger
from schemas.errors import ConfigurationError, Conflict, InvalidRequest
from schemas.instant import Instant

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
LEAST_BYTES = 16
MOST_BYTES = 4_096


async def make(
    ledger: Ledger,
    folder: Path | None,
    name: str,
    *,
    given: str = "",
    ends_at: Instant | None,
    actor: str,
) -> str:
    """Writes it, journals that it was made, and returns what it is: it is told this once.

    `given`: a partner's; else 256 random bits. Raises InvalidRequest, Conflict when there is one of
    that name, ConfigurationError when this process cannot write secrets.
    """
    if not NAME.fullmatch(name):
        raise InvalidRequest(
            "a secret's name has letters, digits, dots and dashes",
            vi="tên bí mật gồm chữ không dấu, số, dấu chấm và gạch",
            field="name",
        )
    if given and not LEAST_BYTES <= len(given.encode()) <= MOST_BYTES:
        raise InvalidRequest(
            f"a secret has at least {LEAST_BYTES} bytes",
            vi=f"bí mật dài ít nhất {LEAST_BYTES} byte",
            field="secret",
        )
    value = given or secrets.token_urlsafe(32)
    await asyncio.to_thread(_write, folder, name, value.encode())
    await ledger.act(
        lambda tx, chain, now: secret_lives.made(tx, chain, now, name, ends_at=ends_at, actor=actor)
    )
    return value


def _write(folder: Path | None, name: str, value: bytes) -> None:
    """Readable by this account alone, and there as a whole or not at all."""
    if folder is None:
        raise ConfigurationError(
            "secrets_dir is not set: the administrator sets it, or puts secrets elsewhere",
            vi="chưa đặt secrets_dir: quản trị trục đặt thư mục này, hoặc đặt bí mật ở nơi khác",
        )
    path = folder / name
    partial = folder / f".{name}.{secrets.token_hex(8)}"
    try:
        place = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(place, "wb") as file:
                file.write(value)
                file.flush()
                os.fsync(file.fileno())
            os.link(partial, path)  # fails when it is there
        finally:
            partial.unlink()
    except FileExistsError:
        raise Conflict(
            f"there is a secret {name} already: choose another name",
            vi=f"đã có bí mật {name}: chọn tên khác",
        ) from None
    except OSError as error:
        raise ConfigurationError(
            f"secret {name} cannot be written into {folder}: {error.strerror}",
            vi=f"không ghi được bí mật {name} vào {folder}: {error.strerror}",
        ) from None
