"""Life of a dossier (trạng thái hồ sơ), as one table.

The numbers are the national portal's; every one-stop system maps its own to them.

Rule 1: everything that depends on which status follows which lives in this file.
Rule 2: no list of allowed changes is published, so a change that the table does not know is
strange, never refused: what happened at the counter happened.
"""

from __future__ import annotations

from enum import IntEnum

from schemas.errors import Text


class DossierStatus(IntEnum):
    """Trạng thái hồ sơ, as the national portal numbers them."""

    UNMAPPED = 0  # chưa ánh xạ: told in the sender's own code, which no table translates yet
    REGISTERED = 1
    RECEIVED = 2
    REFUSED = 3
    PROCESSING = 4
    SUPPLEMENT_ASKED = 5
    PAYMENT_ASKED = 6
    WITHDRAWN = 7
    STOPPED = 8
    FINISHED = 9
    RETURNED = 10


S = DossierStatus

STATUS_NUMBERS = frozenset(f"{status:d}" for status in S if status is not S.UNMAPPED)
"""As the national portal writes them."""

TITLES: dict[DossierStatus, Text] = {
    S.UNMAPPED: Text("Chưa ánh xạ trạng thái", "Status not mapped yet"),
    S.REGISTERED: Text("Mới đăng ký", "Registered"),
    S.RECEIVED: Text("Được tiếp nhận", "Received"),
    S.REFUSED: Text("Không được tiếp nhận", "Not received"),
    S.PROCESSING: Text("Đang xử lý", "Being processed"),
    S.SUPPLEMENT_ASKED: Text("Yêu cầu bổ sung giấy tờ", "Papers asked for"),
    S.PAYMENT_ASKED: Text("Yêu cầu thực hiện nghĩa vụ tài chính", "Payment asked for"),
    S.WITHDRAWN: Text("Công dân yêu cầu rút hồ sơ", "Withdrawn by the citizen"),
    S.STOPPED: Text("Dừng xử lý", "Stopped"),
    S.FINISHED: Text("Đã xử lý xong", "Finished"),
    S.RETURNED: Text("Đã trả kết quả", "Result returned"),
}

TRANSITIONS: dict[DossierStatus, frozenset[DossierStatus]] = {
    S.REGISTERED: frozenset({S.RECEIVED, S.REFUSED, S.SUPPLEMENT_ASKED, S.WITHDRAWN}),
    S.RECEIVED: frozenset(
        {S.PROCESSING, S.SUPPLEMENT_ASKED, S.PAYMENT_ASKED, S.WITHDRAWN, S.STOPPED, S.FINISHED}
    ),
    S.PROCESSING: frozenset(
        {S.SUPPLEMENT_ASKED, S.PAYMENT_ASKED, S.WITHDRAWN, S.STOPPED, S.FINISHED}
    ),
    S.SUPPLEMENT_ASKED: frozenset({S.RECEIVED, S.PROCESSING, S.WITHDRAWN, S.STOPPED}),
    S.PAYMENT_ASKED: frozenset({S.PROCESSING, S.WITHDRAWN, S.STOPPED, S.FINISHED}),
    S.FINISHED: frozenset({S.RETURNED}),
    S.REFUSED: frozenset(),
    S.WITHDRAWN: frozenset(),
    S.STOPPED: frozenset(),
    S.RETURNED: frozenset(),
}
"""What naturally follows what. Several steps of one status are natural while a dossier is open.

Of one whose meaning is not known yet (UNMAPPED) nothing can be said.
"""

TERMINAL = frozenset(status for status, onward in TRANSITIONS.items() if not onward)
"""Nothing follows."""

ENDED = TERMINAL | {S.FINISHED}
"""The agency has nothing left to decide: the clock of the deadline stands still."""

BEFORE_RECEPTION = frozenset({S.REGISTERED, S.REFUSED, S.WITHDRAWN})
"""A dossier in one of these may never have been received."""


def strange(old: DossierStatus | None, new: DossierStatus) -> bool:
    """Whether a step with `new` behind one with `old` (None: it is the first) is to be flagged."""
    if S.UNMAPPED in {old, new}:
        return False
    if old is None:
        return new not in {S.REGISTERED, S.RECEIVED, S.REFUSED}
    if old is new:
        return old in ENDED
    return new not in TRANSITIONS[old]


def leads_to(old: DossierStatus, new: DossierStatus) -> bool:
    """Whether a dossier in `old` may come to `new` by natural steps, one or more."""
    reached, open_ends = set[DossierStatus](), [old]
    while open_ends:
        for status in TRANSITIONS.get(open_ends.pop(), frozenset()) - reached:
            reached.add(status)
            open_ends.append(status)
    return new in reached
