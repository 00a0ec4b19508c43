"""Configuration of one vnpost endpoint."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from adapters.connection import CaFile, ConnectSeconds, web_address
from schemas.adapter import AdapterConfig

Address = Annotated[str, AfterValidator(web_address)]
_PATH = r"^[A-Za-z0-9._~/-]+$"


class VnPostConfig(AdapterConfig):
    """Where the post's service is reached through the platform, and as which customer."""

    url: Address = Field(
        title="Địa chỉ dịch vụ bưu chính",
        json_schema_extra={"vi": "Ba đường dẫn dưới đây được nối vào sau địa chỉ này."},
        description="The three paths below are appended to it.",
        examples=["https://api.example.gov.vn/apiVNPostNGSP/p1.0"],
    )
    token_url: Address = Field(
        title="Địa chỉ cấp token",
        json_schema_extra={"vi": "Nơi nền tảng cấp token truy cập (client credentials)."},
        description="Where the platform gives access tokens (client credentials).",
        examples=["https://api.example.gov.vn/token"],
    )
    key: str = Field(
        pattern=r"^[\x21-\x39\x3b-\x7e]+$",
        title="Khóa ứng dụng",
        json_schema_extra={"vi": "Consumer key tại nền tảng."},
        description="Consumer key at the platform.",
        examples=["truc-tinh"],
    )
    secret: str = Field(
        min_length=1,
        title="Mật khẩu ứng dụng",
        json_schema_extra={"vi": "Tên bí mật giữ consumer secret. Chỉ nhập tên."},
        description="Name of the secret with the consumer secret.",
        examples=["vnpost"],
    )
    customer_code: str = Field(
        min_length=1,
        max_length=100,
        title="Mã khách hàng",
        json_schema_extra={"vi": "CustomerCode do bưu chính cấp."},
        description="CustomerCode that the post has given.",
        examples=["H99-001"],
    )
    order_path: str = Field(
        default="order/post",
        pattern=_PATH,
        title="Đường dẫn tạo đơn",
        json_schema_extra={"vi": "Tạo một đơn."},
        description="Places an order.",
        examples=["order/post"],
    )
    cancel_path: str = Field(
        default="order/cancel",
        pattern=_PATH,
        title="Đường dẫn hủy đơn",
        json_schema_extra={"vi": "Hủy một đơn."},
        description="Cancels an order.",
        examples=["order/cancel"],
    )
    tracking_path: str = Field(
        default="order/tracking",
        pattern=_PATH,
        title="Đường dẫn tra cứu",
        json_schema_extra={"vi": "Đơn đang ở đâu: `?OrderNumber=`."},
        description="Says where an order is: `?OrderNumber=`.",
        examples=["order/tracking"],
    )
    connect_seconds: ConnectSeconds = 5.0
    answer_seconds: float = Field(
        default=30.0,
        ge=0.05,
        le=600,
        title="Thời gian chờ trả lời",
        json_schema_extra={"vi": "Số giây chờ một câu trả lời trọn vẹn."},
        description="Seconds for one complete answer.",
        examples=[30.0],
    )
    ca_file: CaFile = None
