"""`python -m tests.bench.streaming [MEGABYTES ...]`: large packets through the edXML codec.

Each line is a process of its own, so that its memory is its own: growth is the peak of the resident
set while the packet flows, less what it was before (Linux only).  The floor is the least that does
the same work without our reader: expat, base64 and SHA-256, in pieces.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple
from xml.parsers import expat

from rich.console import Console
from rich.table import Table

from schemas.edxml import (
    Content,
    DocumentPacket,
    FileInfo,
    MessageHeader,
    Organ,
    PacketAttachment,
    PacketLimits,
    PacketReader,
    cut_recipients,
    write,
)

MEGABYTE = 1_000_000
CHUNK = 65_536  # bytes as they come from a socket
_PIECE = 196_608  # bytes of a file; a multiple of three
_LIMITS = PacketLimits(size=1 << 40)


class Measured(NamedTuple):
    what: str
    megabytes: int
    seconds: float
    growth: int  # bytes
    size: int  # bytes of the packet


def packet() -> DocumentPacket:
    """A document for two receivers with one file."""
    file = PacketAttachment(
        info=FileInfo(content_id="1", content_type="application/pdf", attachment_name="1.pdf"),
        content=Content(size=0, sha256="", media_type=""),
    )
    receivers = (Organ(organ_id="H38.02"), Organ(organ_id="G22.01"))
    header = MessageHeader(
        sender=Organ(organ_id="H38.01"), receivers=receivers, document_id="D1", subject="Tệp lớn"
    )
    return DocumentPacket(header=header, attachments=(file,))


def contents(megabytes: int) -> Iterator[bytes]:
    """The file: noise, as a compressed scan is."""
    piece = os.urandom(_PIECE)
    whole, rest = divmod(megabytes * MEGABYTE, _PIECE)
    for _ in range(whole):
        yield piece
    yield piece[:rest]


def encoded(megabytes: int) -> Iterator[bytes]:
    """The packet in chunks, made without the writer, so that the reader is measured alone."""
    head, tail = b"".join(write(packet(), [[]])).split(b"</edXML:ContentTransferEncoded>")
    text = base64.b64encode(os.urandom(CHUNK * 3 // 4))
    whole, rest = divmod(megabytes * MEGABYTE * 4 // 3, CHUNK)
    yield head
    for _ in range(whole):
        yield text
    yield text[: rest // 4 * 4]
    yield b"</edXML:ContentTransferEncoded>" + tail


def reader(megabytes: int) -> int:
    reading = PacketReader(limits=_LIMITS)
    size = 0
    for chunk in encoded(megabytes):
        reading.feed(chunk)
        size += len(chunk)
    (file,) = reading.close().attachments  # type: ignore[union-attr] # it is a document
    assert file.content.size >= megabytes * MEGABYTE - CHUNK
    return size


def writer(megabytes: int) -> int:
    return _length(write(packet(), [contents(megabytes)]))


def recipients(megabytes: int) -> int:
    return _length(cut_recipients(encoded(megabytes), ["G22.01"]))


def floor(megabytes: int) -> int:
    digest = hashlib.sha256()
    held = b""

    def text(piece: str) -> None:
        nonlocal held
        data = held + piece.encode()
        whole = len(data) // 4 * 4
        held = data[whole:]
        digest.update(base64.b64decode(data[:whole]))

    def start(name: str, _attributes: dict[str, str]) -> None:
        parser.CharacterDataHandler = text if name.endswith("Encoded") else None

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.buffer_size = CHUNK
    parser.StartElementHandler = start
    size = 0
    for chunk in encoded(megabytes):
        parser.Parse(chunk)
        size += len(chunk)
    return size


RUNS: dict[str, Callable[[int], int]] = {
    "floor": floor,
    "reader": reader,
    "writer": writer,
    "recipients": recipients,
}


def measure(what: str, megabytes: int) -> Measured:
    """In this process, after a small packet has loaded everything that is loaded once."""
    RUNS[what](1)
    before = _resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    began = time.process_time()
    size = RUNS[what](megabytes)
    seconds = time.process_time() - began
    return Measured(what, megabytes, seconds, _resident("VmHWM") - before, size)


def measure_apart(what: str, megabytes: int) -> Measured:
    """In a process of its own."""
    command = [sys.executable, "-m", "tests.bench.streaming", "--only", what, str(megabytes)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return Measured(*json.loads(done.stdout))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("megabytes", nargs="*", type=int, default=[10, 200, 1000])
    parser.add_argument("--only", choices=RUNS, help="one measurement, as JSON")
    given = parser.parse_args()
    if given.only:
        print(json.dumps(measure(given.only, given.megabytes[0])))
        return
    table = Table("what", "attachment MB", "packet MB", "CPU s", "s per 100 MB", "growth MB")
    for megabytes in given.megabytes:
        for what in RUNS:
            result = measure_apart(what, megabytes)
            table.add_row(
                what,
                f"{megabytes:,}",
                f"{result.size / MEGABYTE:,.0f}",
                f"{result.seconds:.2f}",
                f"{result.seconds / result.size * 100 * MEGABYTE:.2f}",
                f"{result.growth / MEGABYTE:.1f}",
            )
    Console().print(table)


def _length(pieces: Iterable[bytes]) -> int:
    return sum(map(len, pieces))


def _resident(field: str) -> int:
    """Bytes of a line of /proc/self/status."""
    text = Path("/proc/self/status").read_text()
    return int(text.partition(f"{field}:")[2].split()[0]) * 1024


if __name__ == "__main__":
    main()
