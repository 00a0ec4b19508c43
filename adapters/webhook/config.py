"""Configuration of one webhook endpoint."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from adapters.connection import CaFile, ConnectSeconds, web_address
from schemas.adapter import AdapterConfig
from schemas.dossier.progress import KNOWN, RECORD_FIELDS, STEP_FIELDS, Kind


def _of(kind: Kind, names: tuple[str, ...]) -> tuple[str, ...]:
    unknown = sorted(set(names) - KNOWN[kind])
    if unknown:
        msg = f"not a field of a {kind}: {', '.join(each[:50] for each in unknown)}"
        raise ValueError(msg)
    return names


class WebhookConfig(AdapterConfig):
    """Where the portal listens, how events are signed, what is told, how long the bus waits."""

    url: Annotated[str, AfterValidator(web_address)] = Field(
        title="Địa chỉ nhận sự kiện",
        json_schema_extra={"vi": "Địa chỉ nhận sự kiện bằng POST."},
        description="Address that accepts an event by POST.",
        examples=["https://tinh.example.gov.vn/hooks/ho-so"],
    )
    secret: str = Field(
        min_length=1,
        title="Khóa ký",
        json_schema_extra={
            "vi": ("Tên bí mật (ít nhất 16 byte) ký mọi sự kiện. Chỉ nhập tên, không nhập giá trị.")
        },
        description="Name of the secret (at least 16 bytes) that signs every event.",
        examples=["cong-tinh-2026"],
    )
    previous_secret: str | None = Field(
        default=None,
        min_length=1,
        title="Khóa ký cũ",
        json_schema_extra={
            "vi": ("Tên bí mật trước đây; khi còn khai báo thì cả hai cùng ký (thay khóa).")
        },
        description="Name of the former secret; while it is set, both sign (rotation).",
        examples=["cong-tinh-2025"],
    )
    record_fields: Annotated[
        tuple[str, ...], AfterValidator(lambda names: _of("dossier", names))
    ] = Field(
        default=RECORD_FIELDS,
        title="Thông tin hồ sơ được công khai",
        json_schema_extra={
            "vi": (
                "Trường của hồ sơ được báo, ngoài code và status. Mặc định không có dữ liệu "
                "cá nhân; trường của người nộp phải nêu từng cái: applicant.name."
            )
        },
        description=(
            "Fields of a record that are told, `code` and `status` besides. The default tells"
            " nothing personal; fields of the applicant are named one by one: applicant.name."
        ),
        examples=[("procedureName", "agencyName", "received", "due", "finished")],
    )
    step_fields: Annotated[tuple[str, ...], AfterValidator(lambda names: _of("step", names))] = (
        Field(
            default=STEP_FIELDS,
            title="Thông tin bước xử lý được công khai",
            json_schema_extra={
                "vi": (
                    "Trường của bước được báo, ngoài code và status. Mặc định bỏ tên cán bộ (by, "
                    "title) và nội dung (content), vì có thể nêu tên người."
                )
            },
            description=(
                "Fields of a step that are told, `code` and `status` besides. The default leaves"
                " out the official's name (by, title) and the text (content), which may name"
                " people."
            ),
            examples=[("id", "at", "department", "content")],
        )
    )
    connect_seconds: ConnectSeconds = 5.0
    answer_seconds: float = Field(
        default=15.0,
        ge=0.05,
        le=600,
        title="Thời gian chờ trả lời",
        json_schema_extra={"vi": "Số giây chờ câu trả lời trọn vẹn, tính từ khi gửi xong."},
        description="Seconds for the complete answer, counted from the end of the request.",
        examples=[15.0],
    )
    ca_file: CaFile = None
