"""What the onestop adapter declares about itself."""

from __future__ import annotations

from schemas.adapter import Manifest

MANIFEST = Manifest(
    kind="onestop",
    title_vi="Phần mềm một cửa: trục lấy hồ sơ, tiến độ về và chuyển hồ sơ trực tuyến tới",
    title_en="One-stop software: the bus fetches dossiers and steps, and brings online submissions",
    mode="push",
    fan_out="per-receiver",
    looks_up=False,
    kinds=("submission",),
    secrets=("secret",),
)
