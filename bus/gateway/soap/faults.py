"""Errors as SOAP faults: the codes and texts of REST's problems, in `detail` as `Problem`.

The HTTP status is that of the binding (1.1: 500; 1.2 part 2, table 20: 400 for Sender, else 500)
once an envelope was recognised, and HTTP's own before.
"""

from __future__ import annotations

from typing import ClassVar

from starlette.responses import Response

from bus.gateway.problems import retry_after
from bus.gateway.soap.markup import leaf, tree
from bus.gateway.soap.versions import CLOSING, V11, V12, Version
from schemas.door import Refusal, Scope
from schemas.errors import InvalidRequest, LgspError
from schemas.soap import NAMESPACE

SEEN = "lgsp.soap"
"""Key of the scope: the version of the envelope, once it is known."""

_IN_12 = {"Client": "Sender", "Server": "Receiver"}


class NotForThisDoor(InvalidRequest):
    """An envelope refused by SOAP's own rules, which have fault codes of their own."""

    fault_code: ClassVar[str]


class VersionMismatch(NotForThisDoor):
    fault_code = "VersionMismatch"


class MustUnderstand(NotForThisDoor):
    """Context: `block`, the header block in Clark notation."""

    fault_code = "MustUnderstand"


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
    if isinstance(refusal.error, NotForThisDoor):
        return 500
    if seen is None:
        return refusal.status
    return 400 if seen is V12 and refusal.error.soap_fault == "Client" else 500


def _announced(scope: Scope) -> Version:
    headers = dict(scope["headers"])
    announced = headers.get(b"content-type", b"").decode("latin-1").lower()
    return V12 if V12.media_type in announced else V11


def _fault_11(error: LgspError, problem: str) -> str:
    code = error.fault_code if isinstance(error, NotForThisDoor) else error.soap_fault
    body = (
        leaf("faultcode", f"s:{code}")
        + f'<faultstring xml:lang="vi">{leaf(None, _told(error, "vi"))}</faultstring>'
        + f"<detail>{problem}</detail>"
    )
    return f"{V11.opening()}<s:Fault>{body}</s:Fault>{CLOSING}"


def _fault_12(error: LgspError, problem: str) -> str:
    headers, code, subcode = "", _IN_12[error.soap_fault], ""
    if isinstance(error, VersionMismatch):
        code = error.fault_code
        headers = f"<s:Upgrade>{_supported(V12, 's')}{_supported(V11, 'o')}</s:Upgrade>"
    elif isinstance(error, MustUnderstand):
        code = error.fault_code
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
