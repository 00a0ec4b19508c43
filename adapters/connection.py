"""What the configurations of endpoints that are called have in common."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Annotated

from pydantic import Field
from yarl import URL

from schemas.errors import ConfigurationError

MIN_SECRET = 16
"""Bytes; a shorter secret can be guessed."""

ConnectSeconds = Annotated[
    float,
    Field(
        ge=0.05,
        le=60,
        title="Thời gian chờ kết nối",
        json_schema_extra={"vi": "Số giây để phân giải tên, kết nối và bắt tay TLS."},
        description="Seconds to resolve the name, connect and agree on TLS.",
        examples=[5.0],
    ),
]
PollSeconds = Annotated[
    float,
    Field(
        ge=0.05,
        le=86_400,
        title="Chu kỳ lấy về",
        json_schema_extra={"vi": "Số giây từ khi xong một lượt lấy tới lượt sau."},
        description="Seconds from the end of one round of fetching to the next.",
        examples=[60.0],
    ),
]
ReconcileHours = Annotated[
    float,
    Field(
        ge=0,
        le=8_760,
        title="Chu kỳ đối soát",
        json_schema_extra={"vi": "Số giờ giữa hai lần đối soát; 0: chỉ khi được yêu cầu."},
        description="Hours from one reconciliation to the next; 0: only on demand.",
        examples=[24.0],
    ),
]
CaFile = Annotated[
    str | None,
    Field(
        title="Chứng thư gốc",
        json_schema_extra={
            "vi": (
                "Đường dẫn tệp PEM của tổ chức cấp chứng thư cho đối tác, nếu không phải tổ "
                "chức công cộng. Không thể tắt kiểm tra chứng thư."
            )
        },
        description=(
            "Path of a PEM file with the authority that issued the partner's certificate, when it"
            " is not a public one. Checking certificates cannot be switched off."
        ),
        examples=["/etc/lgsp/ca/doi-tac.pem"],
    ),
]


def web_address(text: str) -> str:
    """Validates a field. Raises ValueError."""
    url = URL(text)
    if url.scheme not in {"http", "https"} or not url.host:
        msg = "must be an absolute http:// or https:// address"
        raise ValueError(msg)
    if url.user is not None or url.password is not None:
        msg = "must not hold a user name or password; use a secret"
        raise ValueError(msg)
    if url.fragment:
        msg = "must not have a #fragment"
        raise ValueError(msg)
    return text


def resolve_secret(
    name: str, secrets: Callable[[str], bytes], *, at_least: int = MIN_SECRET
) -> bytes:
    """`at_least` in bytes. Raises ConfigurationError that never shows the value."""
    try:
        secret = secrets(name)
    except LookupError:
        raise ConfigurationError(
            f"The secret named {name[:50]!r} does not exist.",
            vi=f"Không có khóa bí mật tên {name[:50]!r}.",
        ) from None
    if len(secret) < at_least:
        raise ConfigurationError(
            f"The secret named {name[:50]!r} is shorter than {at_least} bytes.",
            vi=f"Khóa bí mật tên {name[:50]!r} ngắn hơn {at_least} byte.",
        )
    return secret


def tls_context(ca_file: str | None) -> ssl.SSLContext | bool:
    """Raises ConfigurationError."""
    if ca_file is None:
        return True
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigurationError(
            f"ca_file cannot be used ({type(error).__name__}).",
            vi=f"Không dùng được ca_file ({type(error).__name__}).",
        ) from None
