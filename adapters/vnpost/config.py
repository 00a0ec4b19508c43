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
        description="The three paths below are appended to it.",
        examples=["https://api.example.gov.vn/apiVNPostNGSP/p1.0"],
    )
    token_url: Address = Field(
        title="Địa chỉ cấp token",
        description="Where the platform gives access tokens (client credentials).",
        examples=["https://api.example.gov.vn/token"],
    )
    key: str = Field(
        pattern=r"^[\x21-\x39\x3b-\x7e]+$",
        title="Khóa ứng dụng",
        description="Consumer key at the platform.",
        examples=["truc-tinh"],
    )
    secret: str = Field(
        min_length=1,
        title="Mật khẩu ứng dụng",
        description="Name of the secret with the consumer secret.",
        examples=["vnpost"],
    )
    customer_code: str = Field(
        min_length=1,
        max_length=100,
        title="Mã khách hàng",
        description="CustomerCode that the post has given.",
        examples=["H99-001"],
    )
    order_path: str = Field(
        default="order/post",
        pattern=_PATH,
        title="Đường dẫn tạo đơn",
        description="Places an order.",
        examples=["order/post"],
    )
    cancel_path: str = Field(
        default="order/cancel",
        pattern=_PATH,
        title="Đường dẫn hủy đơn",
        description="Cancels an order.",
        examples=["order/cancel"],
    )
    tracking_path: str = Field(
        default="order/tracking",
        pattern=_PATH,
        title="Đường dẫn tra cứu",
        description="Says where an order is: `?OrderNumber=`.",
        examples=["order/tracking"],
    )
    connect_seconds: ConnectSeconds = 5.0
    answer_seconds: float = Field(
        default=30.0,
        ge=0.05,
        le=600,
        title="Thời gian chờ trả lời",
        description="Seconds for one complete answer.",
        examples=[30.0],
    )
    ca_file: CaFile = None
