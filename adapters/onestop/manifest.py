"""What the onestop adapter declares about itself."""

from __future__ import annotations

from schemas.adapter import Manifest

MANIFEST = Manifest(
    kind="onestop",
    title_vi="Phần mềm một cửa: trục tự lấy hồ sơ và tiến độ về",
    title_en="One-stop software: the bus fetches dossiers and their steps",
    mode="source",
    fan_out="per-receiver",
    looks_up=False,
    kinds=(),
    secrets=("secret",),
)
