"""Contracts of services in a declared province: files beside the YAML, digests in the ledger.

In YAML a contract is the path of its WSDL. All .wsdl, .xsd and .xml files in that folder and below
belong to it, so each version has a folder of its own. A document known by URL alone stands in a
file of that URL, percent-encoded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from schemas.service import Service

FOLDER = "contracts"
SUFFIXES = frozenset({".wsdl", ".xsd", ".xml"})


def read_documents(main: Path) -> dict[str, bytes]:
    """The WSDL and those beside and below it that it may refer to, by relative path or URL.

    Raises OSError.
    """
    below = (each for each in sorted(main.parent.rglob("*")) if each.suffix.lower() in SUFFIXES)
    documents = {_name(each, main.parent): each.read_bytes() for each in below if each.is_file()}
    return documents | {main.name: main.read_bytes()}


def pinned(main: str, documents: Mapping[str, bytes]) -> dict[str, Any]:
    """As schemas.service.Contract has it."""
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in documents.items()}
    return {"main": main, "documents": digests}


def path_of(service: Service) -> str:
    """Where `lgsp export` writes the WSDL, relative to the YAML."""
    return f"{folder_of(service)}/{service.contract.main}"


def folder_of(service: Service) -> str:
    return f"{FOLDER}/{service.name}/{service.version}"


def files_of(service: Service, documents: Mapping[str, bytes]) -> dict[str, bytes]:
    """Every document by the path it is written to. `documents`: by name."""
    folder = folder_of(service)
    return {f"{folder}/{_file(name)}": content for name, content in documents.items()}


def _file(name: str) -> str:
    """A path that stays below its folder; URLs and what leads out of it are encoded whole."""
    outside = "://" in name or name.startswith("/") or ".." in name.split("/")
    return f"{quote(name, safe='')}.xsd" if outside else name


def _name(file: Path, folder: Path) -> str:
    relative = file.relative_to(folder).as_posix()
    return unquote(relative.removesuffix(".xsd")) if "%2F" in relative else relative
