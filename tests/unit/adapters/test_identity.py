"""What a packet is stays the same when the axis writes it anew, and differs when it says other."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from adapters.identity import identity_of
from adapters.vxp.hub_form import hub_form
from schemas.vietnam import VIETNAM

VECTORS = Path(__file__).parents[2] / "vectors" / "edxml"
NOW = datetime(2026, 11, 24, 9, 0, tzinfo=VIETNAM)


@pytest.mark.parametrize("name", ["new_java", "several_attachments", "zipped", "status_05"])
def test_the_axis_changes_bytes_but_not_what_a_packet_is(name: str) -> None:
    packet = (VECTORS / f"{name}.edxml").read_bytes()
    written_anew = hub_form(packet, "00.00.W00", NOW).content
    assert written_anew != packet
    assert identity_of(written_anew) == identity_of(packet) != ""


def test_packets_that_say_other_things_are_others() -> None:
    names = sorted(VECTORS.glob("status_*.edxml"))
    assert len({identity_of(path.read_bytes()) for path in names}) == len(names) > 5
    packet = (VECTORS / "new_java.edxml").read_bytes()
    at = packet.index(b"ContentTransferEncoded")
    at = packet.index(b">", at) + 1
    other = packet[:at] + (b"B" if packet[at : at + 1] != b"B" else b"C") + packet[at + 1 :]
    assert identity_of(other) != identity_of(packet)


@pytest.mark.parametrize("content", [b"", b"no xml", b"<a/>", b"<edXML>"])
def test_what_is_no_packet_has_no_identity(content: bytes) -> None:
    assert identity_of(content) == ""
