"""edXML packets (QCVN 102:2016/BTTTT) as typed models, and the one table of their elements.

Each field names its element with `el("Name")`; `el("Wrapper/Item")` is a list inside a wrapper.
The order of fields is the order of writing: that of the Java client and the national hub.  Reader
and writer are both compiled from these fields (plan.py), so an element is added here only.

A missing element, an empty one and the default are the same thing.  Text is kept trimmed.
What a packet says beyond the table is kept beside the fields, by place (`kept`), and written back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, NaiveDatetime

NAMESPACE = "http://www.mic.gov.vn/TBT/QCVN_102_2016"

# Places of the packet's frame; see Envelope.kept.
ROOT = "edXML"
ENVELOPE = f"{ROOT}/edXMLEnvelope"
HEADER = f"{ENVELOPE}/edXMLHeader"
MESSAGE = f"{HEADER}/MessageHeader"
TRACE = f"{HEADER}/TraceHeaderList"
BODY = f"{ENVELOPE}/edXMLBody"
MANIFEST = f"{BODY}/edXMLManifest"
ATTACHMENTS = f"{ROOT}/AttachmentEncoded"

VERSION = {"version": "1.0"}  # of the manifest; written even when the sender left it out
SIGNATURES = frozenset({"Signature", "DigitalSignature"})

Number = Annotated[int, Field(ge=0, le=999_999_999)]


def el(path: str, default: Any = "") -> Any:
    """A field that is the element `path`, `default` when the packet does not have it."""
    return Field(default=default, json_schema_extra={"element": path})


@dataclass(frozen=True, slots=True, repr=False)
class Element:
    """An element that the table does not know, exactly as it was, comments aside.

    Names are in Clark notation, `{namespace}name`.  Prefixes are not kept: a value that uses one
    (xsi:type) loses its meaning.
    """

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    content: tuple[str | Element, ...] = ()  # texts and elements in turn; no text is empty


@dataclass(frozen=True, slots=True, repr=False)
class Kept:
    """Attributes of one element of the packet, and the elements in it that no field holds."""

    attributes: dict[str, str] = field(default_factory=dict)
    elements: tuple[Element, ...] = ()


class Group(BaseModel):
    """An element with child elements."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """Names of what is set, never the values: packets hold personal data."""
        return ((None, name) for name in sorted(self.model_fields_set))


class Organ(Group):
    """Cơ quan gửi hoặc nhận (From, To)."""

    organ_id: str = el("OrganId")
    organization_in_charge: str = el("OrganizationInCharge")  # cơ quan chủ quản
    organ_name: str = el("OrganName")
    organ_add: str = el("OrganAdd")
    email: str = el("Email")
    telephone: str = el("Telephone")
    fax: str = el("Fax")
    website: str = el("Website")


class Code(Group):
    """Số, ký hiệu văn bản."""

    number: str = el("CodeNumber")
    notation: str = el("CodeNotation")


class PromulgationInfo(Group):
    """Thông tin ban hành."""

    place: str = el("Place")
    promulgation_date: date | None = el("PromulgationDate", None)


class DocumentType(Group):
    """Loại văn bản; only `type_name` is reliable in the field."""

    type: Number | None = el("Type", None)
    type_detail: Number | None = el("TypeDetail", None)
    type_name: str = el("TypeName")


class SignerInfo(Group):
    """Người ký."""

    competence: str = el("Competence")  # quyền hạn ký: TL., KT.
    position: str = el("Position")
    full_name: str = el("FullName")


class OtherInfo(Group):
    """Thông tin khác."""

    priority: Number | None = el("Priority", None)  # độ khẩn 0–4
    sphere_of_promulgation: str = el("SphereOfPromulgation")  # phạm vi lưu hành
    typer_notation: str = el("TyperNotation")
    promulgation_amount: Number | None = el("PromulgationAmount", None)  # số bản phát hành
    page_amount: Number | None = el("PageAmount", None)
    direction: bool | None = el("Direction", None)  # extension of the Java client
    appendixes: tuple[str, ...] = el("Appendixes/Appendix", ())
    reply_fors: str = el("ReplyFors")  # extension
    reference_codes: str = el("ReferenceCodes")  # extension: one-stop dossier code


class ResponseFor(Group):
    """Văn bản được phúc đáp, thu hồi hoặc báo trạng thái."""

    organ_id: str = el("OrganId")
    code: str = el("Code")  # số/ký hiệu joined
    promulgation_date: date | None = el("PromulgationDate", None)
    document_id: str = el("DocumentId")


class StaffInfo(Group):
    """Cán bộ xử lý."""

    department: str = el("Department")
    department_id: str = el("DepartmentId")
    staff: str = el("Staff")
    staff_id: str = el("StaffId")
    mobile: str = el("Mobile")
    email: str = el("Email")


class MessageHeader(Group):
    """MessageHeader of a document packet (QCVN 102 §1.1–1.14)."""

    sender: Organ = el("From", Organ())
    receivers: tuple[Organ, ...] = el("To", ())
    document_id: str = el("DocumentId")
    code: Code = el("Code", Code())
    promulgation_info: PromulgationInfo = el("PromulgationInfo", PromulgationInfo())
    document_type: DocumentType = el("DocumentType", DocumentType())
    subject: str = el("Subject")  # trích yếu
    content: str = el("Content")  # nội dung tóm tắt
    signer_info: SignerInfo = el("SignerInfo", SignerInfo())
    due_date: date | None = el("DueDate", None)  # hạn xử lý
    other_info: OtherInfo = el("OtherInfo", OtherInfo())
    response_for: tuple[ResponseFor, ...] = el("ResponseFor", ())
    steering_type: Number | None = el("SteeringType", None)
    task_codes: tuple[str, ...] = el("ResponseForTask/TaskCode", ())  # extension
    application_type: str = el("ApplicationType")  # extension: MCDT_DT for one-stop dossiers
    to_places: tuple[str, ...] = el("ToPlaces/Place", ())  # nơi nhận để lưu, not receivers


class TraceHeader(Group):
    """One hop: who passed the packet on, and when (local time)."""

    organ_id: str = el("OrganId")
    timestamp: NaiveDatetime | None = el("Timestamp", None)


class Receiver(Group):
    """A change of the receiver list: 0 removed, 1 added."""

    organ_id: str = el("OrganId")
    receiver_type: Number | None = el("ReceiverType", None)


class BusinessDocumentInfo(Group):
    """What an update (business type 2) changes."""

    document_info: str = el("DocumentInfo")
    document_receiver: str = el("DocumentReceiver")
    receivers: tuple[Receiver, ...] = el("ReceiverList/Receiver", ())


class ReplacementInfo(Group):
    """A document that is replaced (business type 3) and the receivers concerned."""

    document_id: str = el("DocumentId")
    organ_ids: tuple[str, ...] = el("OrganIdList/OrganId", ())


class Business(Group):
    """Nghiệp vụ văn bản. The element names are misspelt in the standard itself."""

    document_id: str = el("DocumentId")
    doc_type: Number | None = el("BussinessDocType", None)  # 0 new, 1 recall, 2 update, 3 replace
    doc_reason: str = el("BussinessDocReason")
    document_info: BusinessDocumentInfo = el("BussinessDocumentInfo", BusinessDocumentInfo())
    paper: Number | None = el("Paper", None)  # 1: a paper copy is sent too
    replacements: tuple[ReplacementInfo, ...] = el("ReplacementInfoList/ReplacementInfo", ())
    staff_info: tuple[StaffInfo, ...] = el("StaffInfo", ())


class TraceHeaderList(Group):
    """Vết xử lý; each hop appends a TraceHeader."""

    trace_headers: tuple[TraceHeader, ...] = el("TraceHeader", ())
    business: Business = el("Bussiness", Business())
    paper: Number | None = el("Paper", None)  # here in the Java client; mostly in Bussiness


class StatusHeader(Group):
    """MessageHeader of a status packet."""

    sender: Organ = el("From", Organ())
    response_for: ResponseFor = el("ResponseFor", ResponseFor())
    staff_info: StaffInfo = el("StaffInfo", StaffInfo())
    status_code: str = el("StatusCode")
    description: str = el("Description")
    timestamp: NaiveDatetime | None = el("Timestamp", None)


class FileInfo(Group):
    """Reference in the manifest, and what an Attachment says of itself."""

    content_id: str = el("ContentId")  # without `cid:`
    content_type: str = el("ContentType")  # as claimed; often wrong
    description: str = el("Description")
    attachment_name: str = el("AttachmentName")


class Content(Group):
    """Measured bytes of a file."""

    size: int
    sha256: str  # hex
    media_type: str  # sniffed


class PacketAttachment(Group):
    """One file of a packet."""

    info: FileInfo  # what the Attachment says, filled up from the manifest
    content: Content  # of the bytes as transported, after base64
    unzipped: Content | None = None  # of the single entry, where the packet wraps the file in a ZIP
    reference: FileInfo = Field(default_factory=lambda data: data["info"])  # what the manifest says


class Envelope(Group):
    """What both kinds of packet have."""

    kept: dict[str, Kept] = Field(default_factory=dict)
    """Beyond the table, by place: `edXML/edXMLEnvelope/edXMLHeader/MessageHeader/To[2]/OrganId`.

    Names are those of the standard; what may occur more than once is counted from 1.
    """
    warnings: tuple[str, ...] = ()  # what the reader put up with, `what` or `what:Element`

    @property
    def signatures(self) -> tuple[Element, ...]:
        """Signature and DigitalSignature of the header, in whatever form; never verified here."""
        held = self.kept.get(HEADER, Kept()).elements
        return tuple(each for each in held if each.name.rpartition("}")[2] in SIGNATURES)


class DocumentPacket(Envelope):
    """Gói tin văn bản."""

    kind: Literal["document"] = "document"
    header: MessageHeader
    trace: TraceHeaderList = TraceHeaderList()
    attachments: tuple[PacketAttachment, ...] = ()
    references: tuple[FileInfo, ...] = ()  # files that the manifest names and the packet lacks


class StatusPacket(Envelope):
    """Gói tin trạng thái."""

    kind: Literal["status"] = "status"
    header: StatusHeader


Packet = DocumentPacket | StatusPacket
