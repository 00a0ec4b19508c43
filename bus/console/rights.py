"""Who may do what in the console: one table, asked on the server before every act.

What a person may *see* follows from the role, too: everything, or the traffic of own agencies.
"""

from __future__ import annotations

from enum import StrEnum

from schemas.errors import Text


class Role(StrEnum):
    """Vai trò."""

    OPERATOR = "operator"  # vận hành: sees all, mends the flow
    AGENCY = "agency"  # cơ quan: sees and cancels the traffic of its own agencies
    AUDITOR = "auditor"  # kiểm tra: sees all, changes nothing, personal data stay masked
    ADMINISTRATOR = "administrator"  # quản trị: everything


class Act(StrEnum):
    """Everything that changes something, or uncovers what is masked."""

    REPLAY = "replay"  # send dead and held deliveries again
    CANCEL = "cancel"  # withdraw deliveries that have not left
    REDIRECT = "redirect"  # to another endpoint
    PAUSE = "pause"  # an endpoint
    RESUME = "resume"
    TEST = "test"  # an endpoint's connection
    SILENCE = "silence"  # alerts, for a time
    REVEAL = "reveal"  # personal data in a message, with a reason
    DOWNLOAD = "download"  # originals and attachments: they are not masked
    REPORT = "report"  # of what one sees
    ACCESSES = "accesses"  # to personal data through services: who asked about whom
    VERIFY = "verify"  # the journal's chains
    CONFIGURE = "configure"  # agencies, endpoints, routes, mappings, grants: what is declared
    MANAGE_KEYS = "manage-keys"  # of systems that call the bus


ROLES: dict[Role, Text] = {
    Role.OPERATOR: Text("Vận hành", "Operator"),
    Role.AGENCY: Text("Cán bộ cơ quan", "Agency user"),
    Role.AUDITOR: Text("Kiểm tra", "Auditor"),
    Role.ADMINISTRATOR: Text("Quản trị", "Administrator"),
}

RIGHTS: dict[Act, frozenset[Role]] = {
    Act.REPLAY: frozenset({Role.OPERATOR, Role.ADMINISTRATOR}),
    Act.CANCEL: frozenset({Role.OPERATOR, Role.AGENCY, Role.ADMINISTRATOR}),
    Act.REDIRECT: frozenset({Role.OPERATOR, Role.ADMINISTRATOR}),
    Act.PAUSE: frozenset({Role.OPERATOR, Role.ADMINISTRATOR}),
    Act.RESUME: frozenset({Role.OPERATOR, Role.ADMINISTRATOR}),
    Act.TEST: frozenset({Role.OPERATOR, Role.ADMINISTRATOR}),
    Act.SILENCE: frozenset({Role.OPERATOR, Role.ADMINISTRATOR}),
    Act.REVEAL: frozenset({Role.OPERATOR, Role.AGENCY, Role.ADMINISTRATOR}),
    Act.DOWNLOAD: frozenset({Role.OPERATOR, Role.AGENCY, Role.ADMINISTRATOR}),
    Act.REPORT: frozenset(Role),
    Act.ACCESSES: frozenset({Role.AUDITOR, Role.ADMINISTRATOR}),
    Act.VERIFY: frozenset({Role.OPERATOR, Role.AUDITOR, Role.ADMINISTRATOR}),
    Act.CONFIGURE: frozenset({Role.ADMINISTRATOR}),
    Act.MANAGE_KEYS: frozenset({Role.ADMINISTRATOR}),
}

EVERYBODY = frozenset(Role)
STAFF = EVERYBODY - {Role.AGENCY}
"""Those who see the traffic of all agencies."""


def may(role: Role, act: Act) -> bool:
    return role in RIGHTS[act]
