"""Attachments of a packet: manifest, descriptions and contents put together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from lxml import etree

from schemas.edxml.content import Base64Reader, extension
from schemas.edxml.groups import ENCODED, read_group
from schemas.edxml.model import FileInfo
from schemas.edxml.plan import plan_of, tags
from schemas.edxml.tree import Warnings, malformed, only_child


def encoded_elements(root: etree._Element) -> Iterator[etree._Element]:
    """Every AttachmentEncoded/Attachment/ContentTransferEncoded, in document order."""
    for attachment in _attachments(root):
        yield from attachment.iterchildren(*ENCODED)


def files_of(
    root: etree._Element,
    envelope: etree._Element,
    contents: Sequence[Base64Reader],
    warnings: Warnings,
) -> list[dict[str, Any]]:
    """Fields of every PacketAttachment. `contents` are in the order of `encoded_elements`."""
    references = {info.get("content_id", ""): info for info in _references(envelope, warnings)}
    remaining = iter(contents)
    files = []
    for attachment in _attachments(root):
        info = _file_info(attachment, warnings)
        content = _only_content(attachment, remaining)
        if content is None:
            warnings.add("attachment-without-content")
            continue
        reference = references.pop(info.get("content_id", ""), None)
        if reference is None:
            warnings.add("attachment-without-reference")
        files.append(_file({**(reference or {}), **info}, content, warnings))
    if references:
        warnings.add("reference-without-attachment")
    return files


def _only_content(
    attachment: etree._Element, contents: Iterator[Base64Reader]
) -> Base64Reader | None:
    elements = list(attachment.iterchildren(*ENCODED))
    if len(elements) > 1:
        name = "ContentTransferEncoded"
        raise malformed(name, elements[1], "occurs more than once", "bị lặp")
    return next(contents) if elements else None


def _file(info: dict[str, Any], content: Base64Reader, warnings: Warnings) -> dict[str, Any]:
    name = info.get("attachment_name", "")
    unzipped = None
    inside = content.entry.out
    if content.entry.bomb:
        warnings.add("zip-out-of-proportion")
    elif content.entry.wraps(extension(name)):
        unzipped = inside.content(name)
    if (inside if unzipped else content.measure).spoiled:
        warnings.add("binary-spoiled")
    return {"info": info, "content": content.measure.content(name), "unzipped": unzipped}


def _references(envelope: etree._Element, warnings: Warnings) -> Iterator[dict[str, Any]]:
    body = only_child(envelope, "edXMLBody")
    manifest = None if body is None else only_child(body, "edXMLManifest")
    if manifest is not None:
        for reference in manifest.iterchildren(*tags("Reference")):
            yield _file_info(reference, warnings)


def _file_info(element: etree._Element, warnings: Warnings) -> dict[str, Any]:
    info = read_group(element, plan_of(FileInfo), warnings)
    identity = info.get("content_id", "")
    if identity.startswith("cid:"):
        info["content_id"] = identity[4:].strip()
    else:
        warnings.add("content-id-form")
    return info


def _attachments(root: etree._Element) -> Iterator[etree._Element]:
    encoded = only_child(root, "AttachmentEncoded")
    if encoded is not None:
        yield from encoded.iterchildren(*tags("Attachment"))
