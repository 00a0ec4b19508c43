"""Dossiers as a province's one-stop counters make them, invented but lifelike; the same by seed.

Procedures and their shares follow the provinces' reports: copies and civil status are most of the
day.  People are invented; identity numbers begin with 000, which no province issues.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

from schemas.dossier import DossierRecord, DossierStatus, Step
from schemas.dossier.calendar import Limit, Unit, WorkingCalendar
from schemas.vietnam import VIETNAM

S = DossierStatus


@dataclass(frozen=True, slots=True)
class Service:
    """A procedure of the counter, by its local code."""

    local: str
    national: str
    name: str
    sector: str
    sector_name: str
    share: int  # of a thousand dossiers
    limit: Limit
    fee: int  # đồng; 0 is free
    result: str = ""  # mã giấy tờ kết quả


def _days(amount: int) -> Limit:
    return Limit(amount=amount)


_HOURS = Limit(amount=4, unit=Unit.HOURS)
_JUSTICE, _CIVIL = ("G15-CT01", "Chứng thực"), ("G15-HT01", "Hộ tịch")
_LAND, _BUILD = ("G16-DD01", "Đất đai"), ("G17-XD01", "Hoạt động xây dựng")
_TRADE, _SOCIAL = ("G04-KD01", "Thành lập và hoạt động hộ kinh doanh"), ("G09-BT01", "Bảo trợ")

SERVICES = (
    Service("CT-01", "2.000815", "Chứng thực bản sao từ bản chính", *_JUSTICE, 410, _HOURS, 2000),
    Service("CT-02", "2.000884", "Chứng thực chữ ký", *_JUSTICE, 120, _HOURS, 10_000),
    Service("HT-01", "1.001193", "Đăng ký khai sinh", *_CIVIL, 110, _days(1), 0, "KQ.G15.000031"),
    Service("HT-02", "1.000656", "Đăng ký khai tử", *_CIVIL, 45, _days(1), 0, "KQ.G15.000034"),
    Service("HT-03", "1.000894", "Đăng ký kết hôn", *_CIVIL, 50, _days(1), 0, "KQ.G15.000033"),
    Service(
        "HT-04", "1.004873", "Cấp giấy xác nhận tình trạng hôn nhân", *_CIVIL, 65, _days(3), 3000
    ),
    Service("DD-01", "1.012783", "Đăng ký biến động đất đai", *_LAND, 90, _days(10), 100_000),
    Service("XD-01", "1.009994", "Cấp giấy phép xây dựng nhà ở", *_BUILD, 30, _days(15), 75_000),
    Service("KD-01", "1.001612", "Đăng ký thành lập hộ kinh doanh", *_TRADE, 45, _days(3), 100_000),
    Service("BT-01", "1.001776", "Trợ giúp xã hội hằng tháng", *_SOCIAL, 35, _days(10), 0),
)
_WEIGHTS = [service.share for service in SERVICES]

_FAMILY = ("Nguyễn", "Trần", "Lê", "Phạm", "Hoàng", "Vàng", "Giàng", "Lò", "Tẩn", "Đỗ")
_MIDDLE = ("Văn", "Thị", "Minh", "Thu", "A", "Đức", "Ngọc")
_GIVEN = ("Mẫu", "An", "Bình", "Chi", "Dũng", "Hà", "Lan", "Nam", "Páo", "Sơn", "Yến")
_OFFICIALS = ("Chuyên viên tiếp nhận", "Chuyên viên thụ lý", "Trưởng phòng", "Lãnh đạo phê duyệt")


@dataclass(frozen=True, slots=True)
class Desk:
    """A counter: its agency code and name."""

    code: str
    name: str


@dataclass(frozen=True, slots=True)
class Change:
    """What the one-stop software tells at one moment: the record as it is then, or a step."""

    at: datetime
    agency: str
    item: DossierRecord | Step


@dataclass(frozen=True, slots=True)
class Story:
    """One dossier from beginning to end, in the order in which it is told."""

    code: str
    ending: DossierStatus | None  # None: still open
    changes: tuple[Change, ...]

    @property
    def steps(self) -> tuple[Step, ...]:
        return tuple(each.item for each in self.changes if isinstance(each.item, Step))

    @property
    def record(self) -> DossierRecord:
        """The latest."""
        return [c.item for c in self.changes if isinstance(c.item, DossierRecord)][-1]


@dataclass
class Teller:
    """Tells one dossier after another."""

    units: tuple[Desk, ...]
    seed: int
    first_day: date
    days: int = 30
    calendar: WorkingCalendar = field(default_factory=WorkingCalendar)

    def __post_init__(self) -> None:
        self._chance = Random(self.seed)  # noqa: S311 - invented dossiers, no secret
        self._ordinals: Counter[tuple[str, date]] = Counter()
        span = (self.first_day + timedelta(days=n) for n in range(self.days))
        self._days = [day for day in span if self.calendar.is_working(day)]

    def stories(self, count: int) -> Iterator[Story]:
        """In no order of time: each dossier has its own course."""
        for _ in range(count):
            yield self._story()

    def _story(self) -> Story:
        chance = self._chance
        unit = chance.choice(self.units)
        service = chance.choices(SERVICES, _WEIGHTS)[0]
        morning = datetime.combine(chance.choice(self._days), datetime.min.time(), VIETNAM)
        received = self.calendar.after(morning, timedelta(seconds=chance.randrange(1, 27_000)))
        day = received.date()
        self._ordinals[unit.code, day] += 1
        ordinal = self._ordinals[unit.code, day]
        code = f"{unit.code}-{day:%y%m%d}-{ordinal:04d}"
        draft = _Draft(self, chance, unit, service, code, received)
        draft.tell()
        return Story(code, draft.ending, tuple(draft.changes))


class _Draft:
    """One story while it is being told."""

    def __init__(
        self,
        teller: Teller,
        chance: Random,
        unit: Desk,
        service: Service,
        code: str,
        received: datetime,
    ) -> None:
        self._chance, self._calendar = chance, teller.calendar
        self._unit, self._service, self._code = unit, service, code
        self._now, self._status = received, S.RECEIVED
        self._online = self._chance.random() < 0.45
        self.ending: DossierStatus | None = None
        self.changes: list[Change] = []
        due = service.limit.due(self._calendar, received)
        # 96 of 100 are done before the promised moment; the rest takes up to twice the time
        share = self._chance.uniform(0.3, 0.95)
        share = self._chance.uniform(1.05, 2.0) if self._chance.random() < 0.04 else share
        self._pace = share * service.limit.length(self._calendar)
        self._facts: dict[str, Any] = self._first_facts(received, due)

    def tell(self) -> None:
        if self._online and self._registered():
            return
        self._status = S.RECEIVED
        self._tell_record()  # before the steps: a portal wants to know the dossier first
        self._move(S.RECEIVED, "Tiếp nhận hồ sơ, hẹn trả kết quả", wait=0)
        stages = self._chance.randint(3, 6)
        for stage in range(stages):
            self._move(S.PROCESSING, _STAGES[stage], wait=0.8 / stages)
            if stage == 0 and self._turned_aside():
                return
        if self._chance.random() < 0.06:  # the period ends before the dossier does
            return
        self._finish()

    def _registered(self) -> bool:
        """The online submission; true when it was refused and the story is over."""
        submitted = self._now - timedelta(minutes=self._chance.randrange(5, 900))
        self._facts["submitted"] = submitted
        facts = self._facts | {"status": S.REGISTERED, "received": None, "due": None}
        record = DossierRecord.model_validate(facts)
        self.changes.append(Change(submitted, self._unit.code, record))
        self._step(submitted, S.REGISTERED, "Nộp hồ sơ trực tuyến")
        if self._chance.random() >= 0.05:
            return False
        self._facts |= {"received": None, "due": None, "refused": self._now}
        self._move(S.REFUSED, "Hồ sơ không thuộc thẩm quyền giải quyết", wait=0)
        self._end(S.REFUSED)
        return True

    def _turned_aside(self) -> bool:
        """Supplement, payment, withdrawal, stop; true when the story is over."""
        dice = self._chance.random()
        if dice < 0.08:
            self._supplement()
            if self._chance.random() < 0.1:
                self._supplement()
        elif dice < 0.12 and self._service.fee:
            self._move(S.PAYMENT_ASKED, "Đề nghị nộp phí, lệ phí", wait=0.1)
            self._move(S.PROCESSING, "Đã nộp phí, lệ phí", wait=0.1)
            self._facts["online_payment"] = self._chance.choice([0, 1, 2])
        elif dice < 0.14:
            self._move(S.WITHDRAWN, "Công dân đề nghị rút hồ sơ", wait=0.1)
            self._end(S.WITHDRAWN)
            return True
        elif dice < 0.15:
            self._move(S.STOPPED, "Dừng xử lý: hết hạn bổ sung", wait=0.1)
            self._end(S.STOPPED)
            return True
        return False

    def _supplement(self) -> None:
        self._move(S.SUPPLEMENT_ASKED, "Yêu cầu bổ sung giấy tờ", wait=0.1)
        asked: dict[str, Any] = {
            "id": str(len(self._facts["supplements"]) + 1),
            "asked_by": _OFFICIALS[1],
            "request": "Bổ sung bản sao giấy tờ tùy thân",
            "asked_at": self._now,
        }
        before = self._facts["supplements"]
        self._facts["supplements"] = [*before, asked]
        self._tell_record()
        self._now += timedelta(hours=self._chance.randrange(20, 100))  # the citizen's own time
        self._now = self._calendar.after(self._now, timedelta(minutes=1))
        came: dict[str, Any] = {"received_at": self._now, "complete": True}
        if self._chance.random() < 0.5:  # the counter promises a later moment
            due = self._facts["due"]
            later = self._calendar.between(asked["asked_at"], self._now)
            moved = self._calendar.after(due, later + timedelta(seconds=1))
            came |= {"due_before": due, "due_after": moved}
            self._facts["due"] = moved
        self._facts["supplements"] = [*before, asked | came]
        self._step(self._now, S.PROCESSING, "Đã nhận giấy tờ bổ sung")
        self._tell_record()

    def _finish(self) -> None:
        self._move(S.FINISHED, "Đã có kết quả", wait=0.2)
        self._facts["finished"] = self._now
        if self._service.result:
            self._facts["result_papers"] = [
                {
                    "id": f"KQ{self._code}",
                    "name": f"Kết quả: {self._service.name}",
                    "url": f"https://mot-cua.example/kq/{self._code}.pdf",
                    "result_code": self._service.result,
                }
            ]
        self._tell_record()
        self._move(S.RETURNED, "Đã trả kết quả cho công dân", wait=0.05)
        self._facts["returned"] = self._now
        self._end(S.RETURNED)

    def _end(self, status: DossierStatus) -> None:
        self.ending = status
        self._tell_record()

    def _move(self, status: DossierStatus, content: str, *, wait: float) -> None:
        """After `wait` of the story's pace."""
        if wait:
            self._now = self._calendar.after(self._now, wait * self._pace + timedelta(seconds=1))
        self._step(self._now, status, content)

    def _step(self, at: datetime, status: DossierStatus, content: str) -> None:
        self._status = status
        by = self._chance.choice(_OFFICIALS)
        number = len(self.changes) + 1
        step = Step(
            code=self._code,
            id=f"B{number}",
            at=at,
            by=by,
            title=by.partition(" ")[0],
            department="Bộ phận một cửa",
            content=content,
            status=status,
        )
        self.changes.append(Change(at, self._unit.code, step))

    def _tell_record(self) -> None:
        record = DossierRecord.model_validate(self._facts | {"status": self._status})
        self.changes.append(Change(self._now, self._unit.code, record))

    def _first_facts(self, received: datetime, due: datetime) -> dict[str, Any]:
        chance, service = self._chance, self._service
        name = " ".join(chance.choice(part) for part in (_FAMILY, _MIDDLE, _GIVEN))
        paper = {
            "id": f"TL{self._code}",
            "name": "Tờ khai",
            "url": f"https://mot-cua.example/tl/{self._code}.pdf",
            "digitised": self._online or chance.random() < 0.5,
        }
        fee = {"code": "LP01", "name": "Lệ phí", "amount": service.fee}
        return {
            "code": self._code,
            "procedure": service.local,
            "procedure_name": service.name,
            "sector": service.sector,
            "sector_name": service.sector_name,
            "agency": self._unit.code,
            "agency_name": self._unit.name,
            "channel": 2 if self._online else chance.choice([1, 1, 1, 3]),
            "applicant": {
                "kind": 2 if service.local == "KD-01" else 1,
                "name": name,
                "paper_number": f"000{chance.randrange(10**9):09d}",
                "phone": f"0000{chance.randrange(10**6):06d}",
            },
            "summary": f"{service.name}: {name}",
            "received": received,
            "due": due,
            "by_post": chance.random() < 0.1,
            "has_digitised": paper["digitised"],
            "verified_account": self._online and chance.random() < 0.8,
            "submitted_papers": [paper],
            "fees": [fee] if service.fee else [],
            "supplements": [],
        }


_STAGES = (
    "Thụ lý hồ sơ",
    "Thẩm định hồ sơ",
    "Xin ý kiến đơn vị phối hợp",
    "Trình lãnh đạo",
    "Lãnh đạo phê duyệt",
    "Đóng dấu, chuyển bộ phận trả kết quả",
)
