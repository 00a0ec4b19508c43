"""Configuration of one onestop endpoint."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from adapters.connection import CaFile, ConnectSeconds, PollSeconds, ReconcileHours, web_address
from schemas.adapter import AdapterConfig

_PATH = r"^[A-Za-z0-9._~/-]+$"


class OneStopConfig(AdapterConfig):
    """Where the one-stop software listens, whose dossiers are asked for, how often."""

    url: Annotated[str, AfterValidator(web_address)] = Field(
        title="Địa chỉ phần mềm một cửa",
        json_schema_extra={"vi": "Ba đường dẫn dưới đây được nối vào sau địa chỉ này."},
        description="The three paths below are appended to it.",
        examples=["https://mot-cua.example.gov.vn/api/profiles"],
    )
    unit_code: str = Field(
        pattern=r"^[0-9A-Z.]{1,35}$",
        title="Mã đơn vị",
        json_schema_extra={"vi": "Mã cơ quan mà phần mềm dùng để liệt kê những gì chờ trục."},
        description="Agency code under which the software lists what waits for the bus.",
        examples=["000.00.00.H99"],
    )
    secret: str = Field(
        min_length=1,
        title="Khóa truy cập",
        json_schema_extra={
            "vi": "Tên bí mật gửi làm bearer token trong mọi lời gọi. Chỉ nhập tên."
        },
        description="Name of the secret sent as the bearer token of every call.",
        examples=["mot-cua"],
    )
    list_path: str = Field(
        default="list",
        pattern=_PATH,
        title="Đường dẫn danh sách",
        json_schema_extra={"vi": "Những gì đang chờ: `?unit_code=`."},
        description="What waits: `?unit_code=`.",
        examples=["list"],
    )
    detail_path: str = Field(
        default="detail",
        pattern=_PATH,
        title="Đường dẫn chi tiết",
        json_schema_extra={"vi": "Một mục trong đó: `?profile_id=`."},
        description="One item of it: `?profile_id=`.",
        examples=["detail"],
    )
    ack_path: str = Field(
        default="ack",
        pattern=_PATH,
        title="Đường dẫn xác nhận",
        json_schema_extra={"vi": "Kết quả của mục đó: `?profile_id=&status=done|fail`."},
        description="What became of it: `?profile_id=&status=done|fail`.",
        examples=["ack"],
    )
    receive_url: Annotated[str, AfterValidator(web_address)] | None = Field(
        default=None,
        title="Địa chỉ nhận hồ sơ trực tuyến",
        json_schema_extra={
            "vi": (
                "Nơi phần mềm nhận hồ sơ mà Cổng quốc gia đẩy tới; không có thì không gì gửi "
                "được tới điểm này."
            )
        },
        description=(
            "Where the software takes what the national portal's adapter would push to it; without"
            " it, nothing can be addressed to the endpoint."
        ),
        examples=["https://mot-cua.example.gov.vn/rest/nhanhsdvcqg"],
    )
    listing_path: str | None = Field(
        default=None,
        pattern=_PATH,
        title="Đường dẫn danh sách đối soát",
        json_schema_extra={
            "vi": (
                "Mọi hồ sơ của một kỳ: `?unit_code=&from_date=&to_date=&after=`. Không có "
                "thì phần mềm không được đối soát."
            )
        },
        description=(
            "All dossiers of a period: `?unit_code=&from_date=&to_date=&after=`. Without it the"
            " software is not part of reconciliation."
        ),
        examples=["dossiers"],
    )
    again_path: str = Field(
        default="again",
        pattern=_PATH,
        title="Đường dẫn yêu cầu gửi lại",
        json_schema_extra={
            "vi": "Cho một hồ sơ chờ trục lấy lại lần nữa: `?unit_code=&source_id=`."
        },
        description="Makes a dossier wait for the bus once more: `?unit_code=&source_id=`.",
        examples=["again"],
    )
    reconcile_hours: ReconcileHours = 24.0
    reconcile_days: int = Field(
        default=30,
        ge=1,
        le=3_660,
        title="Số ngày đối soát",
        json_schema_extra={"vi": "So sánh hồ sơ tiếp nhận trong chừng ấy ngày."},
        description="Dossiers received in so many days are compared.",
        examples=[30],
    )
    calls_per_second: float = Field(
        default=5.0,
        gt=0,
        le=1000,
        title="Số yêu cầu mỗi giây",
        json_schema_extra={"vi": "Nhiều nhất chừng ấy lần hỏi mỗi giây khi đối soát."},
        description="The most that reconciliation asks the software in a second.",
        examples=[5.0],
    )
    poll_seconds: PollSeconds = 20.0
    connect_seconds: ConnectSeconds = 5.0
    answer_seconds: float = Field(
        default=20.0,
        ge=0.05,
        le=600,
        title="Thời gian chờ trả lời",
        json_schema_extra={"vi": "Số giây chờ một câu trả lời trọn vẹn."},
        description="Seconds for one complete answer.",
        examples=[20.0],
    )
    ca_file: CaFile = None
