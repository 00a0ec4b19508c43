"""Configuration of one vxp endpoint."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from adapters.connection import CaFile, ConnectSeconds, PollSeconds, web_address
from schemas.adapter import AdapterConfig


class VxpConfig(AdapterConfig):
    """Where the axis listens, who this bus is there, how often it is asked."""

    url: Annotated[str, AfterValidator(web_address)] = Field(
        title="Địa chỉ trục quốc gia",
        json_schema_extra={
            "vi": (
                "Giá trị `service.endpoint` của thư viện do trục cấp; tên thao tác được nối "
                "vào sau."
            )
        },
        description="The vendor client's `service.endpoint`; operations are appended to it.",
        examples=["http://10.0.0.5:8080/XrdAdapter/adapter"],
    )
    systemid: str = Field(
        min_length=1,
        pattern=r"^[\x21-\x7e]+$",
        title="Mã hệ thống",
        json_schema_extra={"vi": "Mã của trung tâm tỉnh, dưới đó các cơ quan được đăng ký."},
        description="Code of the provincial centre, under which its agencies are registered.",
        examples=["00.38.W00"],
    )
    secret: str = Field(
        min_length=1,
        title="Khóa ký",
        json_schema_extra={
            "vi": "Tên bí mật ký mọi lời gọi; dùng đúng như được cấp, không giải mã."
        },
        description="Name of the secret that signs every call; used as it was issued, not decoded.",
        examples=["truc-quoc-gia"],
    )
    poll_seconds: PollSeconds = 60.0
    directory_hours: float = Field(
        default=24.0,
        ge=0.1,
        le=24 * 30,
        title="Chu kỳ đồng bộ danh bạ",
        json_schema_extra={"vi": "Số giờ giữa hai lần đọc danh bạ cơ quan của trục quốc gia."},
        description="Hours from one reading of the axis's agency directory to the next.",
        examples=[24.0],
    )
    connect_seconds: ConnectSeconds = 20.0
    answer_seconds: float = Field(
        default=60.0,
        ge=0.05,
        le=2000,
        title="Thời gian chờ trả lời",
        json_schema_extra={
            "vi": (
                "Số giây chờ câu trả lời trọn vẹn cho một gói, tính từ khi gửi xong; với câu "
                "trả lời lấy từng phần thì giữa hai phần."
            )
        },
        description=(
            "Seconds for the complete answer to a packet, counted from the end of the upload; of"
            " an answer that is fetched in pieces, between two pieces."
        ),
        examples=[60.0],
    )
    min_upload_rate: int = Field(
        default=125_000,
        ge=1_000,
        title="Tốc độ tải lên tối thiểu",
        json_schema_extra={
            "vi": (
                "Byte mỗi giây; gói cỡ S được gửi tối đa connect_seconds + answer_seconds + "
                "S / min_upload_rate giây."
            )
        },
        description=(
            "Bytes per second; a packet of size S may take connect_seconds + answer_seconds"
            " + S / min_upload_rate in all."
        ),
        examples=[125_000],
    )
    ca_file: CaFile = None
