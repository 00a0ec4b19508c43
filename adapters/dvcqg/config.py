"""Configuration of one dvcqg endpoint."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from adapters.connection import CaFile, ConnectSeconds, PollSeconds, ReconcileHours, web_address
from schemas.adapter import AdapterConfig
from schemas.agency import AgencyCode

Address = Annotated[str, AfterValidator(web_address)]
Dialect = Literal["portal", "relay-query", "relay-paths"]


class DvcqgConfig(AdapterConfig):
    """Where the portal is reached, by which dialect, as whom, and how long the bus waits."""

    dialect: Dialect = Field(
        default="portal",
        title="Kiểu kết nối",
        json_schema_extra={
            "vi": (
                "portal: đăng nhập rồi dùng gói của Cổng. relay-query: trục của tỉnh nhận "
                "mảng trần tại {url}/{service}?MaDinhDanhDV=…&isUpdating=…; relay-paths: mỗi "
                "thao tác một địa chỉ."
            )
        },
        description=(
            "portal: login, then the portal's own envelope. relay-query: a provincial relay takes"
            " the bare array at {url}/{service}?MaDinhDanhDV=…&isUpdating=…; relay-paths: it has"
            " one address for each operation."
        ),
        examples=["portal"],
    )
    url: Address = Field(
        title="Địa chỉ tích hợp",
        json_schema_extra={
            "vi": (
                "portal: địa chỉ dịch vụ tích hợp. relay-query: tên dịch vụ được nối vào "
                "sau. relay-paths: địa chỉ thêm hồ sơ."
            )
        },
        description=(
            "portal: address of the integration services. relay-query: what the service's name is"
            " appended to. relay-paths: address that inserts dossiers."
        ),
        examples=["http://10.0.0.5:8081/XrdAdapter/RestService/forward/mapi/tichhop"],
    )
    login_url: Address | None = Field(
        default=None,
        title="Địa chỉ đăng nhập",
        json_schema_extra={"vi": "Địa chỉ đăng nhập; chỉ với kiểu portal."},
        description="Address of the login; dialect portal only.",
        examples=["http://10.0.0.5:8081/XrdAdapter/RestService/forward/mapi/login"],
    )
    update_url: Address | None = Field(
        default=None,
        title="Địa chỉ cập nhật hồ sơ",
        json_schema_extra={"vi": "Địa chỉ cập nhật hồ sơ; chỉ với kiểu relay-paths."},
        description="Address that updates dossiers; dialect relay-paths only.",
        examples=[None],
    )
    progress_url: Address | None = Field(
        default=None,
        title="Địa chỉ đồng bộ tiến trình",
        json_schema_extra={"vi": "Địa chỉ nhận các bước xử lý; chỉ với kiểu relay-paths."},
        description="Address that takes steps; dialect relay-paths only.",
        examples=[None],
    )
    lookup_url: Address | None = Field(
        default=None,
        title="Địa chỉ tra cứu hồ sơ",
        json_schema_extra={
            "vi": (
                "Địa chỉ của trục tỉnh trả lời POST {mahoso} như TraCuuHoSo. Không có thì "
                "trục tỉnh không được hỏi trước khi gửi lại. Chỉ với kiểu relay."
            )
        },
        description=(
            "Address of a relay that answers POST {mahoso} as TraCuuHoSo does. Without it a relay"
            " is not asked before a dossier is sent again. Relays only."
        ),
        examples=[None],
    )
    username: str | None = Field(
        default=None,
        min_length=1,
        title="Tài khoản",
        json_schema_extra={"vi": "Tài khoản tại Cổng; chỉ với kiểu portal."},
        description="Account at the portal; dialect portal only.",
        examples=["000.00.00.H99"],
    )
    password: str | None = Field(
        default=None,
        min_length=1,
        title="Mật khẩu",
        json_schema_extra={
            "vi": ("Tên bí mật giữ mật khẩu của tài khoản; chỉ với kiểu portal. Chỉ nhập tên.")
        },
        description="Name of the secret with the account's password; dialect portal only.",
        examples=["cong-dvcqg"],
    )
    madonvi: str = Field(
        min_length=1,
        pattern=r"^[\x21-\x7e]+$",
        title="Mã đơn vị",
        json_schema_extra={"vi": "Mã của tỉnh hoặc bộ đồng bộ (madonvi, MaDinhDanhDV)."},
        description="Code of the province or ministry that syncs (madonvi, MaDinhDanhDV).",
        examples=["000.00.00.H99"],
    )
    dstcode: str | None = Field(
        default=None,
        pattern=r"^[\x21-\x7e]+$",
        title="Mã dịch vụ trên trục",
        json_schema_extra={"vi": "Phân hệ của bên cung cấp phía sau VXP adapter."},
        description="Subsystem of the provider behind the VXP adapter.",
        examples=["VN:GOV:000.00.00.G22:vpcpdvcprovider"],
    )
    dstcode_in: Literal["query", "header", "both"] = Field(
        default="query",
        title="Nơi ghi dstcode",
        json_schema_extra={"vi": "dstcode ghi ở ?dstcode=, ở tiêu đề, hay cả hai."},
        description="Whether dstcode goes as ?dstcode=, as a header, or both.",
        examples=["query"],
    )
    provider_url: Address | None = Field(
        default=None,
        title="Địa chỉ nhà cung cấp",
        json_schema_extra={"vi": "?providerurl=, khi một VXP adapter phục vụ nhiều bên cung cấp."},
        description="?providerurl=, for a VXP adapter that fronts several providers.",
        examples=[None],
    )
    session_seconds: float = Field(
        default=600.0,
        ge=0.05,
        le=86_400,
        title="Tuổi thọ phiên",
        json_schema_extra={
            "vi": "Số giây sau đó phiên được làm mới; Cổng không báo khi phiên hết."
        },
        description="Seconds after which a session is renewed; the portal announces no end.",
        examples=[600.0],
    )
    connect_seconds: ConnectSeconds = 10.0
    answer_seconds: float = Field(
        default=60.0,
        ge=0.05,
        le=600,
        title="Thời gian chờ trả lời",
        json_schema_extra={
            "vi": (
                "Số giây chờ câu trả lời trọn vẹn. Thời hạn ngắn (nơi khác dùng 6 giây) chỉ "
                "làm nhiều kết quả không rõ hơn."
            )
        },
        description=(
            "Seconds for a complete answer. Short ones (6 s are in use elsewhere) only make more"
            " outcomes unknown."
        ),
        examples=[60.0],
    )
    lookup_shows_steps: bool = Field(
        default=False,
        title="Tra cứu thấy tiến trình",
        json_schema_extra={
            "vi": (
                "TraCuuHoSo có trả DanhSachTienTrinh không, để bước chưa rõ kết quả chỉ gửi "
                "lại khi không thấy ở đó."
            )
        },
        description=(
            "Whether TraCuuHoSo gives the timeline (DanhSachTienTrinh), so that a step whose fate"
            " is unknown is sent again only when it is not there."
        ),
        examples=[False],
    )
    payment_url: Address | None = Field(
        default=None,
        title="Địa chỉ tra cứu thanh toán",
        json_schema_extra={"vi": "Nơi hỏi phí của hồ sơ đã nộp chưa; chỉ với kiểu portal."},
        description="Where it is asked whether a dossier's fee was paid; dialect portal only.",
        examples=["http://10.0.0.5:8081/XrdAdapter/RestService/forward/mapi/thanhtoan"],
    )
    exchange_url: Address | None = Field(
        default=None,
        title="Địa chỉ lấy hồ sơ trực tuyến",
        json_schema_extra={
            "vi": (
                "Nơi Cổng liệt kê hồ sơ nộp trực tuyến: /list?unit_code=, "
                "/detail?profile_id=, /ack?profile_id=&status=. Chỉ với kiểu portal; không "
                "có thì không lấy gì."
            )
        },
        description=(
            "Where the portal lists online submissions: /list?unit_code=, /detail?profile_id=,"
            " /ack?profile_id=&status=. Dialect portal only; without it nothing is fetched."
        ),
        examples=["http://10.0.0.5:8081/XrdAdapter/RestService/forward/mapi/hoso"],
    )
    fetch_questions: bool = Field(
        default=False,
        title="Lấy câu hỏi",
        json_schema_extra={"vi": "Có lấy câu hỏi gửi các cơ quan không; chỉ với kiểu portal."},
        description="Whether questions to agencies are fetched; dialect portal only.",
        examples=[False],
    )
    portal_code: AgencyCode = Field(
        default="000.00.00.G22",
        title="Mã của Cổng",
        json_schema_extra={"vi": "Mã cơ quan mà Cổng đứng tên gửi những gì được lấy về."},
        description="Agency code as which the portal sends what is fetched from it.",
        examples=["000.00.00.G22"],
    )
    poll_seconds: PollSeconds = 60.0
    reconcile_hours: ReconcileHours = 24.0
    reconcile_days: int = Field(
        default=30,
        ge=1,
        le=3_660,
        title="Số ngày đối soát",
        json_schema_extra={"vi": "Tra cứu hồ sơ đã thay đổi trong chừng ấy ngày."},
        description="Dossiers that changed in so many days are looked up.",
        examples=[30],
    )
    lookups_per_second: float = Field(
        default=5.0,
        gt=0,
        le=1000,
        title="Số tra cứu mỗi giây",
        json_schema_extra={"vi": "Nhiều nhất chừng ấy lần hỏi Cổng mỗi giây khi đối soát."},
        description="The most that reconciliation asks the portal in a second.",
        examples=[5.0],
    )
    ca_file: CaFile = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        needed = {
            "portal": ("login_url", "username", "password"),
            "relay-query": (),
            "relay-paths": ("update_url", "progress_url"),
        }[self.dialect]
        missing = [name for name in needed if getattr(self, name) is None]
        if missing:
            msg = f"dialect {self.dialect} needs {', '.join(missing)}"
            raise ValueError(msg)
        if self.dialect != "portal" and (
            self.exchange_url or self.fetch_questions or self.payment_url
        ):
            msg = "a relay takes only: exchange_url, fetch_questions, payment_url are the portal's"
            raise ValueError(msg)
        if self.dialect == "portal" and self.lookup_url is not None:
            msg = "dialect portal looks up at url: lookup_url belongs to relays"
            raise ValueError(msg)
        return self
