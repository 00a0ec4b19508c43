"""Errors as SOAP faults: the codes and texts of REST's problems, in `detail` as `Problem`.

The HTTP status is that of the binding (1.1: 500; 1.2 part 2, table 20: 400 for Sender, else 500)
once an envelope was recognised, and HTTP's own before.
"""

from __future__ import annotations

from starlette.responses import Response

from bus.gateway.problems import retry_after
from bus.gateway.soap.markup import leaf, tree
from bus.gateway.soap.versions import CLOSING, V11, V12, Version
from schemas.door import Refusal, Scope
from schemas.errors import InvalidRequest, LgspError, Text
from schemas.soap import NAMESPACE

SEEN = "lgsp.soap"
"""Key of the scope: the version of the envelope, once it is known."""

_IN_12 = {"Client": "Sender", "Server": "Receiver"}


class VersionMismatch(InvalidRequest):
    """The envelope is of no version that is served."""

    code = "soap-version"
    title = Text("Phiên bản SOAP không hỗ trợ", "SOAP version not served")
    advice = Text(
        "Hệ thống gửi dùng SOAP 1.1 hoặc 1.2 rồi gửi lại.",
        "The sending system uses SOAP 1.1 or 1.2 and sends again.",
    )


class MustUnderstand(InvalidRequest):
    """Context: `block`, the header block in Clark notation."""

    code = "soap-header"
    title = Text("Phần đầu SOAP không hỗ trợ", "SOAP header not served")
    advice = Text(
        "Hệ thống gửi tắt tính năng tạo phần đầu này (WS-Addressing, chữ ký …) rồi gửi lại.",
        "The sending system turns off what makes this header (WS-Addressing, signatures …) and"
        " sends again.",
    )


def _own_code(error: LgspError) -> str | None:
    """The fault code of what SOAP's own rules refuse."""
    return type(error).__name__ if isinstance(error, VersionMismatch | MustUnderstand) else None


def refuse(refusal: Refusal) -> Response:
    """The fault, in the version of the request as far as that is known."""
    seen: Version | None = refusal.scope.get(SEEN)
    version = seen or _announced(refusal.scope)
    error = refusal.error
    problem = f'<Problem xmlns="{NAMESPACE}">{_problem(error, refusal.correlation_id)}</Problem>'
    text = _fault_11(error, problem) if version is V11 else _fault_12(error, problem)
    headers = {
        "Content-Type": f"{version.media_type}; charset=utf-8",
        "Cache-Control": "no-store",
    }
    pause = retry_after(error)
    if pause is not None:
        headers["Retry-After"] = str(pause)
    return Response(text.encode(), _status(refusal, seen), headers)


def _status(refusal: Refusal, seen: Version | None) -> int:
    if _own_code(refusal.error):
        return 500
    if seen is None:
        return refusal.status
    return 400 if seen is V12 and refusal.error.soap_fault == "Client" else 500


def _announced(scope: Scope) -> Version:
    headers = dict(scope["headers"])
    announced = headers.get(b"content-type", b"").decode("latin-1").lower()
    return V12 if V12.media_type in announced else V11


def _fault_11(error: LgspError, problem: str) -> str:
    code = _own_code(error) or error.soap_fault
    body = (
        leaf("faultcode", f"s:{code}")
        + f'<faultstring xml:lang="vi">{leaf(None, _told(error, "vi"))}</faultstring>'
        + f"<detail>{problem}</detail>"
    )
    return f"{V11.opening()}<s:Fault>{body}</s:Fault>{CLOSING}"


def _fault_12(error: LgspError, problem: str) -> str:
    headers, subcode = "", ""
    code = _own_code(error) or _IN_12[error.soap_fault]
    if isinstance(error, VersionMismatch):
        headers = f"<s:Upgrade>{_supported(V12, 's')}{_supported(V11, 'o')}</s:Upgrade>"
    elif isinstance(error, MustUnderstand):
        headers = _not_understood(str(error.context["block"]))
    else:
        value = leaf("s:Value", f"l:{error.code}")
        subcode = f'<s:Subcode xmlns:l="{NAMESPACE}">{value}</s:Subcode>'
    reason = "".join(
        f'<s:Text xml:lang="{lang}">{leaf(None, _told(error, lang))}</s:Text>'
        for lang in ("vi", "en")
    )
    opening = V12.opening()
    if headers:
        opening = opening.replace("<s:Body>", f"<s:Header>{headers}</s:Header><s:Body>")
    return (
        f"{opening}<s:Fault><s:Code><s:Value>s:{code}</s:Value>{subcode}</s:Code>"
        f"<s:Reason>{reason}</s:Reason><s:Detail>{problem}</s:Detail></s:Fault>{CLOSING}"
    )


def _not_understood(block: str) -> str:
    """Names the block; nothing for one without a namespace, or cut off, which has no such name."""
    namespace, closing, name = block.removeprefix("{").rpartition("}")
    if not closing:
        return ""
    return f'<s:NotUnderstood xmlns:b="{leaf(None, namespace, quoted=True)}" qname="b:{name}"/>'


def _supported(version: Version, prefix: str) -> str:
    return f'<s:SupportedEnvelope xmlns:{prefix}="{version.namespace}" qname="{prefix}:Envelope"/>'


def _told(error: LgspError, lang: str) -> str:
    return f"{getattr(error.title, lang)}: {getattr(error.detail, lang)}"


def _problem(error: LgspError, correlation_id: str) -> str:
    texts = {"title": error.title, "detail": error.detail, "advice": error.advice}
    members: dict[str, object] = {"code": error.code}
    for name, text in texts.items():
        members[f"{name}Vi"], members[f"{name}En"] = text
    members["whoMustAct"] = error.actor
    members["retryable"] = error.retryable
    pause = retry_after(error)
    if pause is not None:
        members["retryAfter"] = pause
    members["correlationId"] = correlation_id
    facts = "".join(
        f'<fact name="{leaf(None, name, quoted=True)}">{leaf(None, fact)}</fact>'
        for name, fact in error.context.items()
    )
    return tree(members) + facts
