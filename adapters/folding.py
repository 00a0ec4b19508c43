"""Vietnamese texts of partners, made comparable."""

from __future__ import annotations

import unicodedata


def fold(text: str) -> str:
    """Small letters without marks, blanks single: `Đã tồn tại` in any normal form is one text."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(char for char in plain if not unicodedata.combining(char))
    return " ".join(plain.replace("đ", "d").replace("ð", "d").split())
