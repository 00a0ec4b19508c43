"""Who a caller may speak for, and whose traffic it may see (invariant 8: only its own)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from bus.engine.live import Snapshot
from bus.ledger.records import MailRow, MessageRow
from routing.directory import Directory
from routing.table import Matcher, parse_pattern
from schemas import instant
from schemas.errors import Forbidden, NotFound
from schemas.province import Client
from schemas.vietnam import day_of


def today() -> date:
    """The day by Vietnam's clock, by which codes come into force."""
    return day_of(instant.now())


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated client with its reach, as the configuration has it now."""

    client: Client
    directory: Directory
    reach: frozenset[str]  # own codes of the agencies it speaks for
    followed: tuple[Matcher, ...] = ()  # whose dossiers it follows besides

    @property
    def id(self) -> str:
        return self.client.id

    @property
    def actor(self) -> str:
        """How the journal names it."""
        return f"client:{self.client.id}"

    @property
    def is_operator(self) -> bool:
        return "operator" in self.client.roles

    def name_of(self, code: str) -> str:
        """Of an agency; empty for one that the directory does not have."""
        agency = self.directory.get(code)
        return agency.name if agency else ""

    def follows(self, sender: str) -> bool:
        """Whether the progress of that agency's dossiers is told to it."""
        if self.is_operator or sender in self.reach:
            return True
        if not self.followed:
            return False
        agency = self.directory.get(sender)
        codes = (sender,) if agency is None else self.directory.codes_of(agency, today())
        return any(fits(codes) for fits in self.followed)

    def require_agency_role(self) -> None:
        if "agency" not in self.client.roles:
            raise Forbidden(
                "this client may look, but not send or fetch",
                vi="Hệ thống này chỉ được xem, không được gửi hoặc nhận",
            )

    def require_sends_as(self, code: str) -> None:
        """Raises Forbidden when the packet's sender is not an agency of the client."""
        self.require_agency_role()
        agency = self.directory.resolve(code, today()).agency
        if agency is None or agency.code not in self.reach:
            raise Forbidden(
                f"the packet is from {code[:50]}, an agency this client does not speak for",
                vi=f"Gói tin mang mã cơ quan gửi {code[:50]}, hệ thống này không được gửi thay",
                field="From/OrganId",
            )

    def require_handles(self, code: str, handlers: Iterable[str]) -> None:
        """Portals know a dossier by its code alone: what others have sent is theirs to go on with.

        `handlers` are the agencies that have sent it. Raises Forbidden.
        """
        if not self.reach.issuperset(handlers):
            raise Forbidden(
                f"dossier {code} is handled by an agency this client does not speak for",
                vi=f"Hồ sơ {code} do cơ quan khác xử lý, hệ thống này không được gửi thay",
                field="code",
            )

    def own_agency(self, code: str) -> str:
        """The agency's own code; raises Forbidden when the client does not speak for it."""
        self.require_agency_role()
        agency = self.directory.resolve(code, today()).agency
        found = agency.code if agency is not None else code.strip().upper()
        if found not in self.reach:
            raise Forbidden(
                f"{code[:50]} is not an agency this client speaks for",
                vi=f"{code[:50]} không phải cơ quan của hệ thống này",
                field="agency",
            )
        return found

    def visible(self, message: MessageRow | None) -> MessageRow:
        """A message it sent (or any, for an operator); NotFound tells nothing about others'."""
        if message is None or not (self.is_operator or message.sender in self.reach):
            raise NotFound("no such message", vi="Không có thông điệp này")
        return message

    def sent_by_itself(self, message: MessageRow | None) -> MessageRow:
        """A message one of its own agencies sent: what it may withdraw."""
        found = self.visible(message)
        if found.sender not in self.reach:
            raise Forbidden(
                "only the sender may do this", vi="Chỉ cơ quan gửi được thực hiện thao tác này"
            )
        self.require_agency_role()
        return found

    def received(self, mail: MailRow | None) -> MailRow:
        """A delivery all of whose receivers are its own agencies."""
        if mail is None or not self.reach.issuperset(mail.delivery.receivers):
            raise NotFound("no such delivery", vi="Không có bản tin này trong hộp thư")
        self.require_agency_role()
        return mail


class Reaches:
    """The reach of each client, worked out once for each configuration and day."""

    def __init__(self) -> None:
        self._callers: dict[str, Caller] = {}
        self._for: tuple[Snapshot, date] | None = None

    def caller(self, client: Client, snapshot: Snapshot) -> Caller:
        day = today()
        if self._for is None or self._for[0] is not snapshot or self._for[1] != day:
            self._callers = {}
            self._for = (snapshot, day)
        known = self._callers.get(client.id)
        if known is None:
            reach = _reach(client, snapshot.directory, day)
            followed = tuple(map(parse_pattern, client.follows))
            known = Caller(client, snapshot.directory, reach, followed)
            self._callers[client.id] = known
        return known


def _reach(client: Client, directory: Directory, day: date) -> frozenset[str]:
    """A code that is an alias today stands for its agency; one out of force stands for itself."""
    codes: set[str] = set()
    for code in client.agencies:
        agency = directory.resolve(code, day).agency
        own = agency.code if agency is not None else code
        codes.add(own)
        if client.descendants:
            codes.update(directory.descendants(own))
    return frozenset(codes)
