"""What the dvcqg adapter declares about itself."""

from __future__ import annotations

from schemas.adapter import Manifest

MANIFEST = Manifest(
    kind="dvcqg",
    title_vi="Cổng Dịch vụ công quốc gia: trục đồng bộ hồ sơ và từng bước xử lý",
    title_en="National public service portal: the bus syncs dossiers and each of their steps",
    mode="push",
    fan_out="per-receiver",
    kinds=("dossier", "step", "evaluation", "answer"),
    maps=True,
    looks_up=True,
    answers=("payment",),
    secrets=("password",),
)
