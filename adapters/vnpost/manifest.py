"""What the vnpost adapter declares about itself."""

from __future__ import annotations

from schemas.adapter import Manifest

MANIFEST = Manifest(
    kind="vnpost",
    title_vi="Bưu chính công ích: trục gửi, hủy và tra cứu đơn chuyển trả kết quả",
    title_en="The post: the bus places, cancels and tracks orders that bring results home",
    mode="push",
    fan_out="per-receiver",
    kinds=("postal-order",),
    maps=True,
    looks_up=True,
    answers=("tracking",),
    secrets=("secret",),
)
