"""Attachments of a packet: manifest, descriptions and contents put together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lxml import etree

from schemas.edxml.content import Base64Reader, extension
from schemas.edxml.groups import ENCODED, read_group
from schemas.edxml.model import ATTACHMENTS, BODY, MANIFEST, VERSION, FileInfo
from schemas.edxml.plan import local_names, plan_of, tags
from schemas.edxml.tree import Notes, frame, malformed

Take = Callable[[etree._Element], Base64Reader]  # noqa: SLF001 - lxml has no public name for it
"""The bytes of a ContentTransferEncoded; asked once for each, in document order."""

Fields = dict[str, Any]

_ATTACHMENT = local_names(("Attachment",))
_REFERENCE = local_names(("Reference",))
_CONTENT_ID = tags("ContentId")


def read_files(
    encoded: etree._Element | None, body: etree._Element | None, take: Take, notes: Notes
) -> dict[str, list[Fields]]:
    """Fields `attachments` and `references` of a document."""
    files, unheld = _read_attachments(encoded, take, notes)
    references = _read_manifest(body, files, notes)
    if unheld:
        notes.warn("attachment-without-content")
        named = {info.get("content_id") for info in references}
        references += [info for info in unheld if info.get("content_id") not in named]
    if references:
        notes.warn("reference-without-attachment")
    for file in files:
        _complete(file, notes)
    return {"attachments": files, "references": references}


def _read_attachments(
    encoded: etree._Element | None, take: Take, notes: Notes
) -> tuple[list[Fields], list[Fields]]:
    """(files with their content, descriptions of those without one)."""
    files: list[Fields] = []
    unheld: list[Fields] = []
    if encoded is None:
        return files, unheld
    if encoded.keys():
        notes.keep_attributes(ATTACHMENTS, encoded)
    for attachment in encoded:
        if attachment.tag not in _ATTACHMENT:
            notes.keep(ATTACHMENTS, attachment)
            continue
        place = f"{ATTACHMENTS}/Attachment[{len(files) + 1}]"
        info = _file_info(attachment, place, notes)
        content = _only_content(attachment, place, take, notes)
        if content is None:
            notes.kept.pop(place, None)
            unheld.append(info)
        else:
            files.append({"info": info, "content": content})
    return files, unheld


def _only_content(
    attachment: etree._Element, place: str, take: Take, notes: Notes
) -> Base64Reader | None:
    name = "ContentTransferEncoded"
    elements = [child for child in attachment if child.tag in ENCODED]
    if len(elements) > 1:
        raise malformed(name, elements[1], "occurs more than once", "bị lặp")
    if not elements:
        return None
    if elements[0].keys():
        notes.keep_attributes(f"{place}/{name}", elements[0])
    return take(elements[0])


def _read_manifest(body: etree._Element | None, files: list[Fields], notes: Notes) -> list[Fields]:
    """Gives each file its `reference`; returns those of files that are not there."""
    if body is None:
        return []
    manifest = frame(body, BODY, ("edXMLManifest",), notes).get("edXMLManifest")
    if manifest is None:
        return []
    notes.keep_attributes(MANIFEST, manifest, implied=VERSION)
    dangling: list[Fields] = []
    for element in manifest:
        if element.tag not in _REFERENCE:
            notes.keep(MANIFEST, element)
            continue
        identity = _content_id(element)
        number = next((i for i, file in enumerate(files) if _awaits(file, identity)), None)
        if number is None:
            position = len(files) + len(dangling)
            dangling.append(_file_info(element, f"{MANIFEST}/Reference[{position + 1}]", notes))
        else:
            place = f"{MANIFEST}/Reference[{number + 1}]"
            files[number]["reference"] = _file_info(element, place, notes)
    return dangling


def _awaits(file: Fields, identity: str) -> bool:
    return "reference" not in file and file["info"].get("content_id", "") == identity


def _content_id(reference: etree._Element) -> str:
    written = next((child.text for child in reference if child.tag in _CONTENT_ID), None)
    return (written or "").strip().removeprefix("cid:").strip()


def _file_info(element: etree._Element, place: str, notes: Notes) -> Fields:
    info = read_group(element, plan_of(FileInfo), place, notes)
    identity = info.get("content_id", "")
    if identity.startswith("cid:"):
        info["content_id"] = identity[4:].strip()
    else:
        notes.warn("content-id-form")
    return info


def _complete(file: Fields, notes: Notes) -> None:
    """Description filled up from the manifest, content measured."""
    info, reference, content = file["info"], file.get("reference"), file["content"]
    if reference is None:
        notes.warn("attachment-without-reference")
    elif reference.keys() - info.keys():
        notes.warn("attachment-filled-from-reference")
        info = file["info"] = {**reference, **info}
    name = info.get("attachment_name", "")
    file["content"] = content.measure.content(name)
    if content.entry.wraps(extension(name)):
        file["unzipped"] = content.entry.out.content(name)
