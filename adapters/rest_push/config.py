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
        json_schema_extra={"vi": "Địa chỉ nhận thông điệp bằng POST."},
        description="Address that accepts a message by POST.",
        examples=["https://vanban.soxd.example.gov.vn/lgsp/documents"],
    )
    lookup_url: Annotated[str, AfterValidator(_bare_address)] | None = Field(
        default=None,
        title="Địa chỉ tra cứu",
        json_schema_extra={
            "vi": (
                "Địa chỉ trả lời GET {lookup_url}/{messageId}: trục hỏi trước khi gửi lại "
                "thông điệp chưa rõ kết quả. Không có thì gửi lại với cùng mã."
            )
        },
        description=(
            "Address that answers GET {lookup_url}/{messageId}, asked before a message is sent"
            " again whose fate is unknown. Without it the message is sent again with the same id."
        ),
        examples=["https://vanban.soxd.example.gov.vn/lgsp/documents"],
    )
    secret: str = Field(
        min_length=1,
        title="Khóa ký",
        json_schema_extra={
            "vi": ("Tên bí mật (ít nhất 16 byte) ký mọi yêu cầu. Chỉ nhập tên, không nhập giá trị.")
        },
        description="Name of the secret (at least 16 bytes) that signs every request.",
        examples=["soxd-push-2026"],
    )
    previous_secret: str | None = Field(
        default=None,
        min_length=1,
        title="Khóa ký cũ",
        json_schema_extra={
            "vi": ("Tên bí mật trước đây; khi còn khai báo thì cả hai cùng ký (thay khóa).")
        },
        description="Name of the former secret; while it is set, both sign (rotation).",
        examples=["soxd-push-2025"],
    )
    connect_seconds: ConnectSeconds = 5.0
    answer_seconds: float = Field(
        default=20.0,
        ge=0.05,
        le=600,
        title="Thời gian chờ trả lời",
        json_schema_extra={"vi": "Số giây chờ câu trả lời trọn vẹn, tính từ khi gửi xong."},
        description="Seconds for the complete answer, counted from the end of the upload.",
        examples=[20.0],
    )
    min_upload_rate: int = Field(
        default=125_000,
        ge=1_000,
        title="Tốc độ tải lên tối thiểu",
        json_schema_extra={
            "vi": (
                "Byte mỗi giây; thông điệp cỡ S được gửi tối đa connect_seconds + "
                "answer_seconds + S / min_upload_rate giây."
            )
        },
        description=(
            "Bytes per second; a message of size S may take connect_seconds + answer_seconds"
            " + S / min_upload_rate in all."
        ),
        examples=[125_000],
    )
    ca_file: CaFile = None
