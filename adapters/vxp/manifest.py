"""What the vxp adapter declares about itself."""

from __future__ import annotations

from schemas.adapter import Manifest

MANIFEST = Manifest(
    kind="vxp",
    title_vi="Trục liên thông văn bản quốc gia: trục gửi lên và tự lấy về",
    title_en="National document axis: the bus sends to it and fetches from it",
    mode="push",
    fan_out="grouped",
    looks_up=False,  # nothing in its list of sent packets tells one attempt from another
    secrets=("secret",),
)
