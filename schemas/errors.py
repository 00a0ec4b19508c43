"""Every error of the bus, in one tree.

LgspError
├── LocalError                     the fault is on this side: the caller's request or the bus itself
│   ├── InvalidRequest             400  the request cannot be read
│   │   ├── MalformedXml           400  not XML, or XML that the hardened parser refuses
│   │   ├── MalformedPacket        422  XML, but not an edXML packet that can be routed
│   │   ├── ContractMismatch       422  a message that breaks its service's contract
│   │   └── ModeNotOffered         400  an operation asked in a way in which it does not answer
│   ├── InvalidContract            422  a WSDL or XSD that cannot be used
│   ├── Unauthenticated            401  no valid credentials
│   ├── Forbidden                  403  valid credentials, not for this agency or action
│   ├── NotFound                   404  nothing with that id that the caller may see
│   ├── Conflict                   409  the state of things forbids it
│   │   └── DuplicateMessage       409  the same message id with other content
│   ├── DirectoryShrunk            409  a partner's directory lost more than half of its agencies
│   ├── TooLarge                   413  beyond a configured limit
│   ├── UnknownReceiver            422  no receiver of the packet is in the directory
│   ├── RateLimited                429  the agency sends more than its allowance
│   ├── ServiceSuspended           503  a service is cut off until an administrator lifts it
│   ├── ConfigurationError         500  settings or declared configuration are wrong
│   └── Unavailable                503  the bus cannot do it now; trying again will help
│       ├── LedgerUnavailable      503  the database does not answer: nothing was accepted
│       ├── BrokerUnavailable      503  RabbitMQ does not answer: accepted work waits in the ledger
│       └── ServiceInMaintenance   503  a service is away as announced, until a known moment
└── PartnerError                   the partner's system failed or refused
    ├── PartnerUnavailable         503  it was not reached: certainly not processed
    ├── PartnerTimeout             504  it did not answer in time: unknown whether processed
    ├── PartnerGarbage             502  it answered something that is not its protocol: unknown
    ├── PartnerUnproven            502  nothing proves that the answer is the partner's
    └── PartnerRefused             502  it said no, with a reason: final
        └── PartnerLacksDossier    502  a step of a dossier whose record the partner does not have

`LocalError` and `PartnerError` are never raised themselves.  The class carries what a machine needs
(`code`, `http_status`, `soap_fault`, `retryable`) and what a person needs (`title`, `advice`), both
in Vietnamese and English; the instance adds what happened this time (`detail`).
"""

from __future__ import annotations

from typing import ClassVar, Literal, NamedTuple

SoapFault = Literal["Client", "Server"]
Actor = Literal["sender", "operator", "partner", "administrator"]


class Text(NamedTuple):
    """The same sentence in Vietnamese and English."""

    vi: str
    en: str


class LgspError(Exception):
    """Base of every error the bus raises on purpose."""

    code: ClassVar[str] = "error"
    http_status: ClassVar[int] = 500
    soap_fault: ClassVar[SoapFault] = "Server"
    retryable: ClassVar[bool] = False
    actor: ClassVar[Actor] = "operator"
    title: ClassVar[Text] = Text("Lỗi hệ thống", "Internal error")
    advice: ClassVar[Text] = Text(
        "Báo cho đơn vị vận hành trục kèm mã theo dõi.",
        "Report it to the operator of the bus with the correlation id.",
    )

    def __init__(
        self,
        en: str | None = None,
        *,
        vi: str | None = None,
        retry_after: float | None = None,
        **context: str | int,
    ) -> None:
        """`en` and `vi` say what happened this time; `retry_after` is in seconds.

        `context` holds machine-readable facts (field, line, limit); never secrets or personal data.
        """
        self.detail = Text(vi or en or self.title.vi, en or self.title.en)
        self.retry_after = retry_after
        self.context = context
        super().__init__(self.detail.en)


class LocalError(LgspError):
    def __init__(
        self,
        en: str | None = None,
        *,
        vi: str | None = None,
        retry_after: float | None = None,
        **context: str | int,
    ) -> None:
        if type(self) is LocalError:
            msg = "raise a subclass of LocalError"
            raise TypeError(msg)
        super().__init__(en, vi=vi, retry_after=retry_after, **context)


class PartnerError(LgspError):
    actor = "partner"

    def __init__(
        self,
        en: str | None = None,
        *,
        vi: str | None = None,
        retry_after: float | None = None,
        **context: str | int,
    ) -> None:
        if type(self) is PartnerError:
            msg = "raise a subclass of PartnerError"
            raise TypeError(msg)
        super().__init__(en, vi=vi, retry_after=retry_after, **context)


class InvalidRequest(LocalError):
    code = "invalid-request"
    http_status = 400
    soap_fault = "Client"
    actor = "sender"
    title = Text("Yêu cầu không hợp lệ", "Invalid request")
    advice = Text(
        "Hệ thống gửi sửa trường được nêu rồi gửi lại.",
        "The sending system corrects the named field and sends again.",
    )


class MalformedXml(InvalidRequest):
    code = "malformed-xml"
    title = Text("XML không đọc được", "XML that cannot be read")
    advice = Text(
        "Hệ thống gửi tạo lại XML đúng chuẩn (UTF-8, không DTD) rồi gửi lại.",
        "The sending system produces well-formed XML (UTF-8, no DTD) and sends again.",
    )


class MalformedPacket(InvalidRequest):
    code = "malformed-packet"
    http_status = 422
    title = Text("Gói tin edXML không hợp lệ", "Invalid edXML packet")
    advice = Text(
        "Hệ thống gửi sửa gói tin theo QCVN 102:2016 rồi gửi lại.",
        "The sending system corrects the packet (QCVN 102:2016) and sends again.",
    )


class InvalidContract(LocalError):
    """`context` may name the document, the line, and what is missing."""

    code = "invalid-contract"
    http_status = 422
    soap_fault = "Client"
    actor = "administrator"
    title = Text("Tệp WSDL/XSD không dùng được", "A WSDL or XSD that cannot be used")
    advice = Text(
        "Quản trị trục bổ sung hoặc sửa tệp được nêu rồi kiểm tra lại dịch vụ.",
        "The administrator adds or corrects the named file and checks the service again.",
    )


class ContractMismatch(InvalidRequest):
    """`context`: path (JSON pointer, or XPath in XML), rule, line."""

    code = "contract-mismatch"
    http_status = 422
    title = Text("Nội dung không đúng đặc tả dịch vụ", "Content against the service's contract")
    advice = Text(
        "Hệ thống gửi sửa phần tử được nêu theo đặc tả của dịch vụ rồi gửi lại.",
        "The sending system corrects the named element by the service's contract and sends again.",
    )


class ModeNotOffered(InvalidRequest):
    """The operation was not declared to provide its data in the way that was asked for."""

    code = "mode-not-offered"
    title = Text("Dịch vụ không cung cấp theo cách này", "Not provided in this way")
    advice = Text(
        "Hệ thống gửi dùng cách cung cấp khác; nếu cơ sở dữ liệu có hỗ trợ, quản trị trục khai báo "
        "thêm cho thao tác.",
        "The sending system asks in another way; where the register offers this one, the "
        "administrator declares it for the operation.",
    )


class Unauthenticated(LocalError):
    code = "unauthenticated"
    http_status = 401
    soap_fault = "Client"
    actor = "sender"
    title = Text("Chưa xác thực", "Not authenticated")
    advice = Text(
        "Lấy mã truy cập mới tại /api/v1/token bằng khóa được cấp rồi gửi lại.",
        "Get a new access token from /api/v1/token with the issued key and try again.",
    )


class Forbidden(LocalError):
    code = "forbidden"
    http_status = 403
    soap_fault = "Client"
    actor = "administrator"
    title = Text("Không có quyền", "Not permitted")
    advice = Text(
        "Đề nghị quản trị trục cấp quyền cho cơ quan này, hoặc dùng đúng mã cơ quan của mình.",
        "Ask the administrator of the bus for the right, or use your own agency code.",
    )


class NotFound(LocalError):
    code = "not-found"
    http_status = 404
    soap_fault = "Client"
    actor = "sender"
    title = Text("Không tìm thấy", "Not found")
    advice = Text(
        "Kiểm tra lại mã; chỉ xem được dữ liệu của cơ quan mình.",
        "Check the id; only your own agency's traffic can be seen.",
    )


class Conflict(LocalError):
    code = "conflict"
    http_status = 409
    soap_fault = "Client"
    actor = "sender"
    title = Text("Xung đột trạng thái", "Conflict")
    advice = Text(
        "Xem trạng thái hiện tại rồi thực hiện lại nếu còn cần.",
        "Look at the present state and repeat the action if it is still needed.",
    )


class DuplicateMessage(Conflict):
    code = "duplicate-message"
    title = Text("Trùng mã thông điệp, khác nội dung", "Same message id, other content")
    advice = Text(
        "Nội dung mới phải có mã thông điệp mới; gửi lại nội dung cũ sẽ nhận biên nhận cũ.",
        "New content needs a new message id; sending the old content again returns its receipt.",
    )


class DirectoryShrunk(LocalError):
    """A partner's directory suddenly lists less than half of what it did."""

    code = "directory-shrunk"
    http_status = 409
    soap_fault = "Server"
    actor = "administrator"
    title = Text("Danh bạ của đối tác hụt bất thường", "A partner's directory shrank suddenly")
    advice = Text(
        "Quản trị trục hỏi bên vận hành danh bạ; nếu đúng thì đồng bộ lại với --force.",
        "The administrator asks whoever runs the directory; if it is right, syncs with --force.",
    )


class TooLarge(LocalError):
    code = "too-large"
    http_status = 413
    soap_fault = "Client"
    actor = "sender"
    title = Text("Vượt quá giới hạn dung lượng", "Beyond a size limit")
    advice = Text(
        "Giảm dung lượng hoặc số tệp; cần hơn thì đề nghị quản trị trục nâng giới hạn.",
        "Send less or fewer files; if more is needed ask the administrator to raise the limit.",
    )


class UnknownReceiver(LocalError):
    code = "unknown-receiver"
    http_status = 422
    soap_fault = "Client"
    actor = "sender"
    title = Text("Không có cơ quan nhận trong danh bạ", "Receiver not in the directory")
    advice = Text(
        "Tra mã cơ quan tại /api/v1/agencies rồi gửi lại.",
        "Look the agency code up at /api/v1/agencies and send again.",
    )


class RateLimited(LocalError):
    code = "rate-limited"
    http_status = 429
    soap_fault = "Client"
    retryable = True
    actor = "sender"
    title = Text("Gửi quá nhanh", "Too many requests")
    advice = Text(
        "Chờ số giây nêu ở Retry-After rồi gửi lại.",
        "Wait for the seconds given in Retry-After and send again.",
    )


class ServiceSuspended(LocalError):
    code = "service-suspended"
    http_status = 503
    actor = "administrator"
    title = Text("Dịch vụ đang tạm dừng", "The service is suspended")
    advice = Text(
        "Hỏi quản trị trục khi nào dịch vụ được mở lại.",
        "Ask the administrator of the bus when the service will be open again.",
    )


class ConfigurationError(LocalError):
    code = "configuration"
    actor = "administrator"
    title = Text("Cấu hình sai", "Wrong configuration")
    advice = Text(
        "Quản trị trục sửa cấu hình được nêu.",
        "The administrator corrects the named setting.",
    )


class Unavailable(LocalError):
    code = "unavailable"
    http_status = 503
    retryable = True
    title = Text("Trục tạm thời chưa phục vụ được", "The bus is not available now")
    advice = Text(
        "Gửi lại sau; nếu kéo dài, báo đơn vị vận hành trục.",
        "Send again later; if it lasts, tell the operator of the bus.",
    )


class LedgerUnavailable(Unavailable):
    code = "ledger-unavailable"
    title = Text("Sổ cái không phản hồi, chưa tiếp nhận", "Ledger unavailable, nothing accepted")


class BrokerUnavailable(Unavailable):
    code = "broker-unavailable"
    title = Text("RabbitMQ không phản hồi", "RabbitMQ is not available")
    advice = Text(
        "Thông điệp đã tiếp nhận vẫn an toàn và tự gửi tiếp; đơn vị vận hành kiểm tra RabbitMQ.",
        "Accepted messages are safe and leave by themselves later; the operator checks RabbitMQ.",
    )


class ServiceInMaintenance(Unavailable):
    """`context`: until, when it will be back."""

    code = "service-maintenance"
    actor = "partner"
    title = Text("Dịch vụ đang bảo trì theo thông báo", "The service is in announced maintenance")
    advice = Text(
        "Gọi lại sau thời điểm khôi phục đã nêu.",
        "Call again after the time of restoration that is named.",
    )


class PartnerUnavailable(PartnerError):
    code = "partner-unavailable"
    http_status = 503
    retryable = True
    title = Text("Không kết nối được hệ thống đối tác", "The partner's system was not reached")
    advice = Text(
        "Trục tự gửi lại; nếu kéo dài, đối tác kiểm tra hệ thống và đường truyền.",
        "The bus retries by itself; if it lasts the partner checks its system and network.",
    )


class PartnerTimeout(PartnerError):
    code = "partner-timeout"
    http_status = 504
    retryable = True
    title = Text("Đối tác không trả lời kịp", "The partner did not answer in time")
    advice = Text(
        "Chưa rõ đã xử lý hay chưa; trục tra cứu hoặc gửi lại với cùng mã.",
        "Unknown whether processed; the bus looks it up or resends with the same id.",
    )


class PartnerGarbage(PartnerError):
    code = "partner-garbage"
    http_status = 502
    retryable = True
    title = Text("Đối tác trả lời sai giao thức", "The partner's answer is not its protocol")
    advice = Text(
        "Đối tác kiểm tra dịch vụ; trục tự gửi lại với cùng mã.",
        "The partner checks its service; the bus resends with the same id.",
    )


class PartnerUnproven(PartnerError):
    code = "partner-unproven"
    http_status = 502
    title = Text(
        "Trả lời của đối tác không có chữ ký số hợp lệ",
        "The partner's answer is not properly signed",
    )
    advice = Text(
        "Đối tác kiểm tra chữ ký, chứng thư và đồng hồ của dịch vụ; khi đối tác đổi chứng thư, "
        "quản trị trục cập nhật chứng thư được tin (answers.certificates).",
        "The partner checks its service's signature, certificate and clock; when it has changed "
        "its certificate, the administrator updates the known ones (answers.certificates).",
    )


class PartnerRefused(PartnerError):
    code = "partner-refused"
    http_status = 502
    title = Text("Đối tác từ chối", "The partner refused")
    advice = Text(
        "Xem lý do của đối tác; sửa nội dung và gửi thông điệp mới.",
        "Read the partner's reason; correct the content and send a new message.",
    )


class PartnerLacksDossier(PartnerRefused):
    code = "partner-lacks-dossier"
    title = Text("Nơi nhận chưa có hồ sơ của bước này", "The partner lacks the step's dossier")
    advice = Text(
        "Sửa và gửi lại bản ghi hồ sơ; các bước tự đi tiếp khi nơi nhận đã có hồ sơ.",
        "Correct the dossier's record and send it; its steps then go on by themselves.",
    )


def by_code(code: str) -> type[LgspError] | None:
    """The class whose errors carry this code: for codes that were written down."""
    pending = [LgspError]
    while pending:
        cls = pending.pop()
        if cls.code == code:
            return cls
        pending += cls.__subclasses__()
    return None
