"""Configuration of one rest-push endpoint."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field
from yarl import URL

from adapters.connection import CaFile, ConnectSeconds, web_address
from schemas.adapter import AdapterConfig


def _bare_address(text: str) -> str:
    if URL(web_address(text)).query_string:
        msg = "must not have a ?query: the message id is appended to the path"
        raise ValueError(msg)
    return text


class RestPushConfig(AdapterConfig):
    """Where the agency's system listens, how requests are signed, how long the bus waits."""

    url: Annotated[str, AfterValidator(web_address)] = Field(
        title="Địa chỉ tiếp nhận",
        description="Address that accepts a message by POST.",
        examples=["https://vanban.soxd.example.gov.vn/lgsp/documents"],
    )
    lookup_url: Annotated[str, AfterValidator(_bare_address)] | None = Field(
        default=None,
        title="Địa chỉ tra cứu",
        description=(
            "Address that answers GET {lookup_url}/{messageId}, asked before a message is sent"
            " again whose fate is unknown. Without it the message is sent again with the same id."
        ),
        examples=["https://vanban.soxd.example.gov.vn/lgsp/documents"],
    )
    secret: str = Field(
        min_length=1,
        title="Khóa ký",
        description="Name of the secret (at least 16 bytes) that signs every request.",
        examples=["soxd-push-2026"],
    )
    previous_secret: str | None = Field(
        default=None,
        min_length=1,
        title="Khóa ký cũ",
        description="Name of the former secret; while it is set, both sign (rotation).",
        examples=["soxd-push-2025"],
    )
    connect_seconds: ConnectSeconds = 5.0
    answer_seconds: float = Field(
        default=20.0,
        ge=0.05,
        le=600,
        title="Thời gian chờ trả lời",
        description="Seconds for the complete answer, counted from the end of the upload.",
        examples=[20.0],
    )
    min_upload_rate: int = Field(
        default=125_000,
        ge=1_000,
        title="Tốc độ tải lên tối thiểu",
        description=(
            "Bytes per second; a message of size S may take connect_seconds + answer_seconds"
            " + S / min_upload_rate in all."
        ),
        examples=[125_000],
    )
    ca_file: CaFile = None
