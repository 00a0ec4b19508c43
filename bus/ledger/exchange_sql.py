"""The statements of `bus.ledger.exchange`: one each for a whole batch, on either database."""

from __future__ import annotations

from bus.ledger.tx import Columns
from schemas.exchange import MAY_BE_SENT_AGAIN

GONE = ", ".join(f"'{state.value}'" for state in sorted(MAY_BE_SENT_AGAIN))


def _pair(table: str, column: str, asked: str) -> str:
    """`column` and receiver of an exchange are those asked for; with one of the others it is slow.

    Two equalities may also be answered by the index that begins with the receiver, and while the
    table is empty PostgreSQL finds that as cheap: it then reads everything the receiver ever got,
    once for each row. Two bounds on the pair are answered by an index of the pair only.
    """
    pair, wanted = f"({table}.{column}, {table}.receiver)", f"(r.{asked}, r.receiver)"
    return f"{pair} >= {wanted} AND {pair} <= {wanted}"


KNOWN = f"""
SELECT r.n, r.receiver, e.message_id FROM {{rows}}
JOIN exchange e ON {_pair("e", "document_id", "document_id")}
WHERE e.sender || '' = r.sender AND e.business = 0 AND e.state NOT IN ({GONE})
  AND e.message_id <> r.message_id
"""  # noqa: S608 - constants of this project
# `|| ''`: else SQLite reads everything the sender ever sent instead of looking for the document
KNOWN_COLUMNS: Columns = (
    ("n", "int"),
    ("message_id", "text"),
    ("document_id", "text"),
    ("sender", "text"),
    ("receiver", "text"),
)

BY_ID = f"""
SELECT r.n, e.message_id, e.receiver FROM {{rows}}
JOIN exchange e ON {_pair("e", "document_id", "document_id")}
WHERE e.sender || '' = r.sender ORDER BY e.sent_at DESC
"""  # noqa: S608 - names of this project
BY_CODE = f"""
SELECT r.n, e.message_id, e.receiver FROM {{rows}}
JOIN exchange e ON {_pair("e", "document_code", "code")}
WHERE e.sender || '' = r.sender AND (r.promulgated = '' OR e.promulgated = r.promulgated)
ORDER BY e.sent_at DESC
"""  # noqa: S608 - names of this project
ASKED: Columns = (
    ("n", "int"),
    ("sender", "text"),
    ("receiver", "text"),
    ("document_id", "text"),
    ("code", "text"),
    ("promulgated", "text"),
)

BEGIN = """
INSERT INTO exchange (message_id, receiver, sender, document_id, document_code, promulgated,
  subject, business, priority, due_at, steering, state, recall, sent_at, changed_at, reports,
  arrival_told)
SELECT message_id, receiver, sender, document_id, code, promulgated, subject, business, priority,
  due_at, steering, 'sent', 'none', at, at, reports, false FROM {rows} WHERE true
ON CONFLICT (message_id, receiver) DO NOTHING
"""
BEGIN_COLUMNS: Columns = (
    ("message_id", "text"),
    ("receiver", "text"),
    ("sender", "text"),
    ("document_id", "text"),
    ("code", "text"),
    ("promulgated", "text"),
    ("subject", "text"),
    ("business", "int"),
    ("priority", "int"),
    ("due_at", "bigint"),
    ("steering", "int"),
    ("at", "bigint"),
    ("reports", "boolean"),
)

WRITE = f"""
UPDATE exchange SET state = r.state, recall = r.recall, arrived_at = r.arrived_at,
  accepted_at = r.accepted_at, finished_at = r.finished_at, changed_at = r.at,
  arrival_told = exchange.arrival_told OR r.told
FROM {{rows}} WHERE {_pair("exchange", "message_id", "message_id")}
"""  # noqa: S608 - names of this project
WRITE_COLUMNS: Columns = (
    ("message_id", "text"),
    ("receiver", "text"),
    ("state", "text"),
    ("recall", "text"),
    ("arrived_at", "bigint"),
    ("accepted_at", "bigint"),
    ("finished_at", "bigint"),
    ("at", "bigint"),
    ("told", "boolean"),
)

TELL = """
INSERT INTO exchange_event (message_id, receiver, event, at, told_by, changed)
SELECT message_id, receiver, event, at, told_by, changed FROM {rows} WHERE true
"""
TELL_COLUMNS: Columns = (
    ("message_id", "text"),
    ("receiver", "text"),
    ("event", "text"),
    ("at", "bigint"),
    ("told_by", "text"),
    ("changed", "boolean"),
)

STANDING = f"""
SELECT e.message_id, e.receiver, e.reports, e.arrival_told, e.state, e.recall, e.arrived_at,
  e.accepted_at, e.finished_at
FROM {{rows}} JOIN exchange e ON {_pair("e", "message_id", "message_id")}
"""  # noqa: S608 - names of this project
FOLLOWED: Columns = (("message_id", "text"), ("receiver", "text"))

KEYS_OF_MESSAGES = """
SELECT DISTINCT d.endpoint, d.order_key FROM {rows} JOIN delivery d ON d.message_id = r.message_id
"""
LEAVABLE = """
SELECT d.id, d.message_id, d.receivers, d.endpoint, d.order_key FROM {rows}
JOIN delivery d ON d.message_id = r.message_id
WHERE d.state IN ('queued', 'waiting', 'held', 'dead') AND NOT d.maybe_sent
  AND NOT EXISTS (SELECT 1 FROM journal j WHERE j.message_id = d.message_id
    AND j.delivery_id = d.id AND j.event = 'fetched')
ORDER BY d.id
"""
WITHDRAW = """
UPDATE delivery SET state = 'cancelled', head = false, finished_at = r.at, detail = r.detail
FROM {rows} WHERE delivery.id = r.id AND NOT delivery.maybe_sent
  AND delivery.state IN ('queued', 'waiting', 'held', 'dead')
RETURNING delivery.id
"""
WITHDRAW_COLUMNS: Columns = (("id", "bigint"), ("at", "bigint"), ("detail", "text"))

DECIDE = """
UPDATE message SET decision = r.decision FROM {rows} WHERE message.id = r.id
"""
DECISIONS: Columns = (("id", "text"), ("decision", "text"))
MESSAGES: Columns = (("message_id", "text"),)
