"""What a one-stop system tells in a quarter, and whether a portal has exactly that.

Plain JSON of the portal's protocol, worked out from a number: nothing is kept, and no code is
shared with the bus.
"""

from __future__ import annotations

import json
import random
import re
from dataclasses import asdict, dataclass, field
from typing import Any

UNIT = "H38.30"
LOCAL, NATIONAL = "HT-KHAITU", "1.000656"
A_DAY = 450  # dossiers
LINE = ("MaHoSo", "NguoiXuLy", "ThoiDiemXuLy", "PhongBanXuLy", "NoiDungXuLy", "TrangThai")
_PEOPLE = ("Trần Thị Mẫu", "Lê Văn Thử", "Giàng A Ví", "Nguyễn Thị Dụ")
_WORK = ("Thụ lý hồ sơ", "Thẩm định hồ sơ", "Xin ý kiến", "Trình lãnh đạo", "Lãnh đạo phê duyệt")

Item = dict[str, Any]


@dataclass(frozen=True)
class Dossier:
    """One dossier: its record at the beginning and at the end, and the lines between."""

    code: str
    first: Item
    last: Item
    lines: tuple[Item, ...]


def dossier(number: int, seed: int = 1) -> Dossier:
    """Always the same for the same number; about eight lines, in order of time."""
    chance = random.Random(seed * 1_000_003 + number)
    day, ordinal = divmod(number, A_DAY)
    month, date = divmod(day, 28)
    code = f"{UNIT}-26{month + 1:02d}{date + 1:02d}-{ordinal + 1:04d}"
    first = {
        "MaHoSo": code,
        "MaTTHC": LOCAL,
        "TenTTHC": "Đăng ký khai tử",
        "KenhThucHien": str(chance.choice((1, 2, 3))),
        "LoaiDoiTuong": "1",
        "ChuHoSo": chance.choice(_PEOPLE),
        "TrichYeuHoSo": f"Khai tử số {number}",
        "NgayTiepNhan": f"2026{month + 1:02d}{date + 1:02d}081500",
        "NgayHenTra": "",
        "TrangThaiHoSo": "2",
        "DonViXuLy": "UBND xã Suối Mẫu",
    }
    lines = []
    for at, (status, content) in enumerate(_course(chance)):
        clock = f"{9 + at // 60:02d}{at % 60:02d}{chance.randrange(60):02d}"
        lines.append(
            {
                "MaHoSo": code,
                "NguoiXuLy": chance.choice(_PEOPLE),
                "ThoiDiemXuLy": f"2026{month + 1:02d}{date + 1:02d}{clock}",
                "PhongBanXuLy": "Bộ phận một cửa",
                "NoiDungXuLy": content,
                "TrangThai": str(status),
            }
        )
    last = first | {"TrangThaiHoSo": lines[-1]["TrangThai"], "NgayTra": lines[-1]["ThoiDiemXuLy"]}
    return Dossier(code, first, last, tuple(lines))


def _course(chance: random.Random) -> list[tuple[int, str]]:
    course = [(2, "Tiếp nhận hồ sơ")]
    course += [(4, chance.choice(_WORK)) for _ in range(chance.randrange(2, 6))]
    if chance.random() < 0.2:
        course += [(5, "Yêu cầu bổ sung giấy tờ"), (4, "Đã nhận giấy tờ bổ sung")]
    course += [(4, "Trình ký"), (9, "Đã có kết quả"), (10, "Đã trả kết quả")]
    return course


@dataclass
class Verdict:
    """What the portal has against what was told; codes of the first few of each kind."""

    dossiers: int = 0
    steps: int = 0
    missing_dossiers: int = 0
    strange_dossiers: int = 0  # nobody told of them
    missing_steps: int = 0
    doubled_steps: int = 0
    strange_steps: int = 0
    out_of_order: int = 0  # dossiers
    wrong_records: int = 0
    inserted_twice: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        return not self.examples

    def to_json(self) -> dict[str, Any]:
        return {"holds": self.holds, **asdict(self)}

    def blame(self, what: str, count: int, code: str) -> None:
        if count:
            setattr(self, what, getattr(self, what) + count)
            if len(self.examples) < 20:
                self.examples.append(f"{what}: {code}")

    def judge(self, told: Dossier, there: Item) -> None:
        wanted = [_line(line) for line in told.lines]
        shown = [_line(line) for line in there["timeline"]]
        self.blame("missing_steps", sum(line not in shown for line in wanted), told.code)
        self.blame("doubled_steps", len(shown) - len(set(shown)), told.code)
        self.blame("strange_steps", sum(line not in wanted for line in shown), told.code)
        common = list(dict.fromkeys(line for line in shown if line in wanted))
        ordered = common == [line for line in wanted if line in shown]
        self.blame("out_of_order", not ordered, told.code)
        record, expected = there["record"], told.last | {"MaTTHC": NATIONAL}
        wrong = any(record.get(name, "") != value for name, value in expected.items())
        self.blame("wrong_records", wrong, told.code)
        self.blame("inserted_twice", there["inserts"] != 1, told.code)


def _line(line: Item) -> tuple[str, ...]:
    return tuple(line.get(name, "") for name in LINE)


class Checker:
    """Takes the portal's report line by line: a dossier's record, and its timeline as stored."""

    def __init__(self, count: int, seed: int = 1) -> None:
        self._count, self._seed = count, seed
        self._seen: set[int] = set()
        self._verdict = Verdict(dossiers=count)

    def feed(self, text: bytes) -> None:
        there = json.loads(text)
        code = there["MaHoSo"]
        number = _number(code)
        told = dossier(number, self._seed) if 0 <= number < self._count else None
        if told is None or told.code != code or number in self._seen:
            self._verdict.blame("strange_dossiers", 1, code)
            return
        self._seen.add(number)
        self._verdict.judge(told, there)

    def close(self) -> Verdict:
        for number in range(self._count):
            told = dossier(number, self._seed)
            self._verdict.steps += len(told.lines)
            self._verdict.blame("missing_dossiers", number not in self._seen, told.code)
        return self._verdict


def _number(code: str) -> int:
    """Of which dossier the code may be; -1: of none."""
    found = re.fullmatch(rf"{re.escape(UNIT)}-26(\d\d)(\d\d)-(\d{{4}})", code)
    if found is None:
        return -1
    month, date, ordinal = map(int, found.groups())
    return ((month - 1) * 28 + date - 1) * A_DAY + ordinal - 1
