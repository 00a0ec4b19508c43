"""The ledger's tables. Times are microseconds since the epoch, UTC (`schemas.instant`)."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from schemas.instant import SECOND

metadata = MetaData()

_Id = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers only INTEGER keys by itself
OPEN = text("state IN ('queued','sending','waiting','held','dead')")
_FETCHABLE = text("pull AND state = 'queued'")
_HELD = text("state = 'held'")
_IN_BLOB_STORE = text("content IS NULL")
_UNNUMBERED = text("position IS NULL")
PERSONS = text("substr(actor, 1, 4) = 'cli:' OR substr(actor, 1, 8) = 'console:'")
"""Of journal entries: what people did, at the command line or in the console."""
OUTAGES = text("event IN ('breaker-opened','breaker-closed')")
_READY = text("head AND state IN ('queued','waiting')")
_UNRESOLVED = text("resolved_at IS NULL")
_UNSENT = text("sent_at IS NULL")
_UNFINISHED = text("finished_at IS NULL")

WEEK = 7 * 86_400 * SECOND
_BREAKS = "/-.:@_+&?=%#~"
"""What PostgreSQL would take for part of a word: addresses, numbers, paths."""


def words(column: str) -> str:
    """SQL (PostgreSQL): the words of a text, as they stand, in lower case."""
    return f"to_tsvector('simple', translate({column}, '{_BREAKS}', '{' ' * len(_BREAKS)}'))"


def subject_words() -> str:
    """SQL (PostgreSQL): words of a document's subject, and the week it was accepted in.

    What the index `message_words` of migration 0013 is made of; only PostgreSQL has it.
    """
    subject = words("(canonical::json -> 'body' ->> 'subject')")
    return f"({subject} || array_to_tsvector(ARRAY['@' || (accepted_at / {WEEK})::text]))"


message = Table(
    "message",
    metadata,
    Column("id", Text, primary_key=True),  # UUIDv7: sorts by time of acceptance
    Column("sender", Text, nullable=False),
    Column("sender_ref", Text, nullable=False),
    Column("client", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("receivers", Text, nullable=False),  # agency codes separated by spaces
    Column("document_id", Text, nullable=False),
    Column("document_code", Text, nullable=False),  # số/ký hiệu
    Column("order_key", Text, nullable=False),
    Column("lane", Text, nullable=False),
    Column("accepted_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("sha256", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("trace", Text, nullable=False),
    Column("canonical", Text, nullable=False),  # schemas.message.Message as JSON
    Column("decision", Text, nullable=False),  # routing.Decision as JSON
    Column("content", LargeBinary),  # small originals; larger ones are in the blob store
    Column("record", Text),  # of a dossier or step: its canonical form (schemas.dossier), as JSON
    UniqueConstraint("sender", "sender_ref", name="message_idempotency"),
    Index("message_ref", "sender_ref"),
    Index("message_document", "document_id"),
    Index("message_kind", "kind", "id"),
    Index("message_sender", "sender", "id"),
    Index("message_blob", "sha256", postgresql_where=_IN_BLOB_STORE, sqlite_where=_IN_BLOB_STORE),
)

delivery = Table(
    "delivery",
    metadata,
    Column("id", _Id, primary_key=True),  # rises in order of acceptance within an order key
    Column("message_id", Text, nullable=False),
    Column("endpoint", Text, nullable=False),
    Column("receivers", Text, nullable=False),
    Column("order_key", Text, nullable=False),
    Column("lane", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("pull", Boolean, nullable=False),  # fetched by its receiver, never published
    Column("head", Boolean, nullable=False),  # first open pushed one of its (endpoint, order key)
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("strikes", Integer, nullable=False, server_default="0"),  # attempts that count
    Column("next_attempt_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("worker", Text),  # process that has it in hand while sending
    Column("maybe_sent", Boolean, nullable=False, server_default=text("false")),
    Column("partner_ref", Text),
    Column("code", Text),  # why it is where it is: stable code
    Column("detail", Text),  # and in words
    Column("created_at", BigInteger, nullable=False),
    Column("first_attempt_at", BigInteger),
    Column("finished_at", BigInteger),
    Index("delivery_message", "message_id"),
    Index(
        "delivery_open",
        "endpoint",
        "order_key",
        "id",
        postgresql_where=OPEN,
        sqlite_where=OPEN,
    ),
    Index(
        "delivery_ready",
        "endpoint",
        "lane",
        "next_attempt_at",
        "id",
        postgresql_where=_READY,
        sqlite_where=_READY,
    ),
    Index(
        "delivery_pull",
        "receivers",
        "lane",
        "id",
        postgresql_where=_FETCHABLE,
        sqlite_where=_FETCHABLE,
    ),
    Index("delivery_held", "code", "id", postgresql_where=_HELD, sqlite_where=_HELD),
    Index(
        "delivery_worker",
        "worker",
        postgresql_where=text("worker IS NOT NULL"),
        sqlite_where=text("worker IS NOT NULL"),
    ),
    Index(
        "delivery_expiry",
        "expires_at",
        postgresql_where=text("expires_at IS NOT NULL AND finished_at IS NULL"),
        sqlite_where=text("expires_at IS NOT NULL AND finished_at IS NULL"),
    ),
)

journal = Table(
    "journal",
    metadata,
    Column("chain", Text, primary_key=True),  # one chain per writer: see bus.ledger.journal
    Column("seq", BigInteger, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("event", Text, nullable=False),
    Column("message_id", Text),
    Column("delivery_id", BigInteger),
    Column("actor", Text, nullable=False),
    Column("data", Text, nullable=False),  # JSON
    Column("hash", LargeBinary, nullable=False),
    Index("journal_message", "message_id"),
    Index("journal_outages", "at", postgresql_where=OUTAGES, sqlite_where=OUTAGES),
    Index("journal_persons", "at", postgresql_where=PERSONS, sqlite_where=PERSONS),
)

journal_chain = Table(
    "journal_chain",
    metadata,
    Column("chain", Text, primary_key=True),
    Column("seq", BigInteger, nullable=False),  # of its last entry
    Column("hash", LargeBinary, nullable=False),
    Column("at", BigInteger, nullable=False),
)

exchange = Table(
    "exchange",  # a document at one of its receivers: see schemas.exchange
    metadata,
    Column("message_id", Text, primary_key=True),  # of the document
    Column("receiver", Text, primary_key=True),  # agency's own code
    Column("sender", Text, nullable=False),
    Column("document_id", Text, nullable=False),
    Column("document_code", Text, nullable=False),
    Column("promulgated", Text, nullable=False),  # ISO date, or empty
    Column("subject", Text, nullable=False),
    Column("business", Integer, nullable=False),  # BussinessDocType: 0 new, 3 replacement
    Column("priority", Integer, nullable=False),
    Column("due_at", BigInteger),  # end of the day it is due, by Vietnam's clock
    Column("steering", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("recall", Text, nullable=False),
    Column("sent_at", BigInteger, nullable=False),
    Column("arrived_at", BigInteger),
    Column("accepted_at", BigInteger),
    Column("finished_at", BigInteger),
    Column("changed_at", BigInteger, nullable=False),
    Column("reports", Boolean, nullable=False),  # the bus sends 01, the receiver's system does not
    Column("arrival_told", Boolean, nullable=False),  # the sender got an 01
    Index("exchange_document", "document_id", "receiver"),
    Index("exchange_code", "document_code", "receiver"),
    Index("exchange_receiver", "receiver", "sent_at"),
    Index("exchange_sender", "sender", "sent_at"),
    Index(
        "exchange_reports",
        "arrived_at",
        postgresql_where=text("reports AND arrived_at IS NOT NULL AND NOT arrival_told"),
        sqlite_where=text("reports AND arrived_at IS NOT NULL AND NOT arrival_told"),
    ),
)

exchange_event = Table(
    "exchange_event",
    metadata,
    Column("id", _Id, primary_key=True),  # order of arrival
    Column("message_id", Text, nullable=False),
    Column("receiver", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("at", BigInteger, nullable=False),  # as whoever told it says
    Column("told_by", Text, nullable=False),  # id of the message; empty: the transport
    Column("changed", Boolean, nullable=False),  # False: kept as news, it came late or again
    Index("exchange_event_document", "message_id", "receiver"),
)

dossier = Table(
    "dossier",  # as its latest record and steps have it: see bus.ledger.dossiers
    metadata,
    Column("sender", Text, primary_key=True),  # agency that handles it
    Column("code", Text, primary_key=True),
    Column("first_message", Text, nullable=False),  # sorts by the time it was first heard of
    Column("record_message", Text),  # of the current record; none: only steps have come
    Column("nation_code", Text, nullable=False),
    Column("procedure", Text, nullable=False),  # as the sender codes it
    Column("channel", Integer),
    Column("status", Integer, nullable=False),  # as last told, by record or latest step
    Column("received_at", BigInteger),
    Column("due_at", BigInteger),
    Column("finished_at", BigInteger),
    Column("returned_at", BigInteger),
    Column("last_step_at", BigInteger),
    Column("changed_at", BigInteger, nullable=False),
    Index("dossier_code", "code"),
    Index("dossier_nation_code", "nation_code"),
    Index("dossier_newest", "first_message"),
    Index("dossier_sender", "sender", "first_message"),
    Index("dossier_received", "received_at", "sender"),
    Index(
        "dossier_unfinished",
        "sender",
        "due_at",
        postgresql_where=_UNFINISHED,
        sqlite_where=_UNFINISHED,
    ),
)

dossier_step = Table(
    "dossier_step",
    metadata,
    Column("sender", Text, primary_key=True),
    Column("code", Text, primary_key=True),
    Column("step_id", Text, primary_key=True),
    Column("message_id", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("at", BigInteger, nullable=False),  # as the sender says
    Column("accepted_at", BigInteger, nullable=False),
)

dossier_event = Table(
    "dossier_event",  # records and steps for those who follow: see bus.ledger.dossier_events
    metadata,
    Column("id", _Id, primary_key=True),  # rises in order of acceptance within a dossier
    Column("position", BigInteger),  # in the line that readers see; none: not given yet
    Column("message_id", Text, nullable=False),
    Column("sender", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Index("dossier_event_position", "position", unique=True),
    Index(
        "dossier_event_unnumbered",
        "id",
        postgresql_where=_UNNUMBERED,
        sqlite_where=_UNNUMBERED,
    ),
)

dossier_wait = Table(
    "dossier_wait",  # told of dossiers with a status not understood: see bus.ledger.dossier_waits
    metadata,
    Column("id", _Id, primary_key=True),  # rises in order of acceptance within a dossier
    Column("message_id", Text, nullable=False),
    Column("sender", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("local", Text, nullable=False),  # the status that waits; empty: waits behind another
    Column("day", Text, nullable=False),  # ISO, by which tables are asked
    Index("dossier_wait_message", "message_id", unique=True),
    Index("dossier_wait_dossier", "sender", "code"),
    Index("dossier_wait_local", "sender", "local", "day"),
)

dossier_file = Table(
    "dossier_file",  # a paper that portals fetch from the bus: bytes in the blob store
    metadata,
    Column("id", Text, primary_key=True),  # made of dossier, name and content: see bus.ledger.acts
    Column("sender", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Index("dossier_file_blob", "sha256"),
)

rating = Table(
    "rating",  # đánh giá: what satisfaction is counted from; the words are the message's own
    metadata,
    Column("message_id", Text, primary_key=True),
    Column("agency", Text, nullable=False),  # that handled the dossier
    Column("code", Text, nullable=False),
    Column("score", Integer, nullable=False),  # schemas.dossier.figures.Score
    Column("service", Integer),
    Column("at", BigInteger, nullable=False),  # as the sender says
    Index("rating_at", "at", "agency"),
)

refused_packet = Table(
    "refused_packet",  # fetched from a partner and never acceptable: kept for the operator
    metadata,
    Column("endpoint", Text, primary_key=True),
    Column("ref", Text, primary_key=True),  # the partner's id of it
    Column("at", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),  # of its bytes, in the blob store
    Column("size", BigInteger, nullable=False),
    Column("code", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Index("refused_packet_blob", "sha256"),
)

process = Table(
    "process",
    metadata,
    Column("id", Text, primary_key=True),
    Column("roles", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("beat", BigInteger, nullable=False),  # rises every second while the process lives
)

endpoint_state = Table(
    "endpoint_state",
    metadata,
    Column("endpoint", Text, primary_key=True),
    Column("paused", Boolean, nullable=False, server_default=text("false")),
    Column("pause_reason", Text),
    Column("breaker", Text, nullable=False, server_default="closed"),  # closed, open
    Column("opened_at", BigInteger),
    Column("probe_at", BigInteger),
    Column("last_error", Text),
)

poll = Table(
    "poll",  # what fetching from an endpoint came to
    metadata,
    Column("endpoint", Text, primary_key=True),
    Column("good_at", BigInteger),  # the last good round that was written down
    Column("due_at", BigInteger, nullable=False),  # without another good one by then it is silent
    Column("error", Text),  # of the round that failed since
)

config_item = Table(
    "config_item",
    metadata,
    Column("kind", Text, primary_key=True),  # of config_store.MODELS
    Column("name", Text, primary_key=True),
    Column("body", Text),  # JSON of the schemas.province model; NULL: removed
    Column("revision", BigInteger, nullable=False),
    Index("config_item_revision", "revision"),
)

config_revision = Table(
    "config_revision",
    metadata,
    Column("revision", BigInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("changes", Text, nullable=False),  # JSON: what was added, changed, removed
)

contract_document = Table(
    "contract_document",  # WSDL and XSD of declared services, which name them by their SHA-256
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("content", LargeBinary, nullable=False),
)

schema_copy = Table(
    "schema_copy",  # the operator's copies of schemas that contracts name by URL
    metadata,
    Column("location", Text, primary_key=True),
    Column("sha256", Text, nullable=False),  # a contract_document
)

service_access = Table(
    "service_access",  # of personal data: one row for each person an access was about
    metadata,
    Column("id", Text, primary_key=True),  # of the access: UUIDv7
    Column("number", Integer, primary_key=True),
    Column("subject", LargeBinary, nullable=False),  # keyed hash; empty: no one person
    Column("at", BigInteger, nullable=False),
    Column("service", Text, nullable=False),  # name@version
    Column("operation", Text, nullable=False),
    Column("client", Text, nullable=False),
    Column("agency", Text, nullable=False),
    Column("officer", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("fields", Text, nullable=False),  # JSON: that the caller might see, then that it saw
    Column("outcome", Text, nullable=False),  # asked, answered, or code of the error
    Column("trace", Text, nullable=False),
    Index("service_access_subject", "subject", "at"),
    Index("service_access_at", "at"),
)

service_job = Table(
    "service_job",  # lô: questions to one operation, answered one after the other
    metadata,
    Column("id", Text, primary_key=True),  # UUIDv7
    Column("client", Text, nullable=False),  # whose it is: nobody else reads it
    Column("ref", Text),  # the client's own id of it
    Column("sha256", Text, nullable=False),  # of what was asked, and how
    Column("agency", Text, nullable=False),
    Column("officer", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("service", Text, nullable=False),  # name@version
    Column("operation", Text, nullable=False),
    Column("as_of", Text),  # ISO date
    Column("language", Text, nullable=False),  # of problems
    Column("trace", Text, nullable=False),
    Column("state", Text, nullable=False),  # queued, running, done, cancelled
    Column("worker", Text),  # process that has it in hand
    Column("total", Integer, nullable=False),
    Column("answered", Integer, nullable=False),
    Column("failed", Integer, nullable=False),  # of those answered
    Column("created_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
    Column("expires_at", BigInteger, nullable=False),  # then it is removed, with all it holds
    Index("service_job_state", "state"),
    Index("service_job_ref", "client", "ref", unique=True),
    Index("service_job_expires", "expires_at"),
)

service_job_item = Table(
    "service_job_item",
    metadata,
    Column("job", Text, primary_key=True),
    Column("number", Integer, primary_key=True),  # from 1
    Column("question", Text, nullable=False),  # JSON; empty once it is answered
    Column("asked", Boolean, nullable=False),  # before the partner was, where once is the most
    Column("answer", Text),  # a line of NDJSON
)

data_feed = Table(
    "data_feed",  # how far a register's changes have been handed to who subscribed to them
    metadata,
    Column("name", Text, primary_key=True),
    Column("cursor", Text, nullable=False),  # empty: nothing yet
    Column("round", BigInteger, nullable=False),  # rises with every cursor
    Column("due_at", BigInteger, nullable=False),  # when it is to be asked again
    Column("good_at", BigInteger),  # when it last answered
    Column("failures", Integer, nullable=False),  # in a row
    Column("error", Text),
)

client_key = Table(
    "client_key",
    metadata,
    Column("hash", LargeBinary, primary_key=True),  # SHA-256 of a key of 256 random bits
    Column("client", Text, nullable=False),
    Column("hint", Text, nullable=False),  # first characters, to tell keys apart
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Index("client_key_client", "client"),
)

access_token = Table(
    "access_token",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("client", Text, nullable=False),
    Column("key_hash", LargeBinary, nullable=False),  # the key it was issued for
    Column("expires_at", BigInteger, nullable=False),
)

alert = Table(
    "alert",  # cảnh báo: one row for each time of trouble, see bus.ledger.alerts
    metadata,
    Column("id", _Id, primary_key=True),
    Column("key", Text, nullable=False),  # rule and what it is about: one open row of each
    Column("rule", Text, nullable=False),
    Column("culprit", Text, nullable=False),  # kind and name; what is told together
    Column("severity", Text, nullable=False),
    Column("body", Text, nullable=False),  # JSON: what, cause and next step in both languages
    Column("since", BigInteger, nullable=False),  # when the trouble began
    Column("seen_at", BigInteger, nullable=False),  # when it was last found
    Column("raised_at", BigInteger),  # none: it has not lasted long enough
    Column("told_at", BigInteger),  # when channels were last given it; none: silenced
    Column("resolved_at", BigInteger),
    Index(
        "alert_unresolved",
        "key",
        unique=True,
        postgresql_where=_UNRESOLVED,
        sqlite_where=_UNRESOLVED,
    ),
    Index("alert_raised", "raised_at"),
)

alert_notice = Table(
    "alert_notice",  # what a channel is to be told; kept until it was
    metadata,
    Column("id", _Id, primary_key=True),
    Column("alert_id", BigInteger, nullable=False),
    Column("channel", Text, nullable=False),
    Column("event", Text, nullable=False),  # raised, reminded, resolved
    Column("culprit", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_attempt_at", BigInteger, nullable=False),
    Column("sent_at", BigInteger),
    Column("error", Text),  # of the last attempt
    Index("alert_notice_due", "channel", "id", postgresql_where=_UNSENT, sqlite_where=_UNSENT),
    Index("alert_notice_sent", "channel", "culprit", "sent_at"),
)

alert_silence = Table(
    "alert_silence",
    metadata,
    Column("pattern", Text, primary_key=True),  # a key of alerts, `*` for anything
    Column("until", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
)

alert_memory = Table(
    "alert_memory",  # what a rule must know of earlier rounds
    metadata,
    Column("rule", Text, primary_key=True),
    Column("body", Text, nullable=False),  # JSON
)

tally = Table(
    "tally",  # what processes counted lately, summed up over all of them
    metadata,
    Column("kind", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("at", BigInteger, primary_key=True),  # beginning of the span that is counted
    Column("count", BigInteger, nullable=False),
    Column("low", BigInteger),  # least and greatest of what was measured
    Column("high", BigInteger),
    Index("tally_at", "at"),
)

service_usage = Table(
    "service_usage",  # calls of services, summed up by the hour: see bus.ledger.usage
    metadata,
    Column("at", BigInteger, primary_key=True, autoincrement=False),  # beginning of the hour
    Column("service", Text, primary_key=True),  # name@version
    Column("operation", Text, primary_key=True),
    Column("client", Text, primary_key=True),
    Column("agency", Text, primary_key=True),  # empty: an operator's call
    Column("outcome", Text, primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("milliseconds", BigInteger, nullable=False),  # all calls together
    Column("longest", BigInteger, nullable=False),  # milliseconds
)

service_latency = Table(
    "service_latency",  # how long those calls took: see bus.ops.latency
    metadata,
    Column("at", BigInteger, primary_key=True, autoincrement=False),
    Column("service", Text, primary_key=True),
    Column("operation", Text, primary_key=True),
    Column("client", Text, primary_key=True),
    Column("agency", Text, primary_key=True),
    Column("outcome", Text, primary_key=True),
    Column("upto", BigInteger, primary_key=True, autoincrement=False),  # milliseconds
    Column("count", BigInteger, nullable=False),
)

secret_life = Table(
    "secret_life",  # when a secret was made, and when it is to be another; never what it is
    metadata,
    Column("name", Text, primary_key=True),
    Column("made_at", BigInteger, nullable=False),
    Column("ends_at", BigInteger),
    Column("actor", Text, nullable=False),
)

console_account = Table(
    "console_account",  # a person who may log in to the console: see bus.ledger.accounts
    metadata,
    Column("name", Text, primary_key=True),  # lower case
    Column("title", Text, nullable=False),  # the person's own name
    Column("role", Text, nullable=False),  # of bus.console.rights.Role
    Column("agencies", Text, nullable=False),  # own codes separated by spaces: of an agency user
    Column("password", Text),  # argon2id; none: logs in through the identity provider alone
    Column("must_change", Boolean, nullable=False),
    Column("subject", Text),  # how the identity provider names the person
    Column("totp", LargeBinary),  # sealed with the secret `console-totp`
    Column("totp_step", BigInteger, nullable=False),  # the last one that was used
    Column("failures", Integer, nullable=False),  # wrong passwords in a row
    Column("locked_until", BigInteger, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("login_at", BigInteger),
    UniqueConstraint("subject", name="console_account_subject"),
)

console_session = Table(
    "console_session",
    metadata,
    Column("hash", LargeBinary, primary_key=True),  # SHA-256 of 256 random bits in a cookie
    Column("account", Text, nullable=False),
    Column("stage", Text, nullable=False),  # of bus.ledger.accounts.Stage
    Column("created_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Index("console_session_account", "account"),
)

partner_session = Table(
    "partner_session",  # sessions and tokens that partners gave: bus.ledger.partner_sessions
    metadata,
    Column("account", LargeBinary, primary_key=True),  # keyed hash of where and as whom it was got
    Column("serial", BigInteger, nullable=False),  # of what is sealed; 0: nothing yet
    Column("sealed", LargeBinary),  # with the secret `partner-sessions`
    Column("renew_at", BigInteger, nullable=False),
    Column("ends_at", BigInteger, nullable=False),
    Column("holder", Text, nullable=False),  # who may renew it
    Column("held_until", BigInteger, nullable=False),
)
