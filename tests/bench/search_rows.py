"""The ledger of a province after a year of documents, made by the database itself.

Shaped like real rows, because what a search costs depends on it: partners' ids are random, numbers
begin anew at every agency, words of subjects are as unevenly used as agencies are busy, one in five
documents goes to three receivers.  Some words were common for a month in the middle of the year.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass

import asyncpg

from schemas.instant import SECOND, Instant

AGENCIES = 400
YEAR = 365 * 86_400 * SECOND
NOTATIONS = ("QĐ-UBND", "CV-VP", "BC-SNV", "TTr-STC", "KH-UBND", "TB-VP", "GM-UBND", "CV-SYT")
TOPICS = (
    "báo cáo kết quả thực hiện nhiệm vụ",
    "triển khai kế hoạch cải cách hành chính",
    "phê duyệt chủ trương đầu tư dự án",
    "giải quyết khiếu nại, tố cáo của công dân",
    "tổ chức hội nghị trực tuyến",
    "cung cấp thông tin, số liệu",
    "góp ý dự thảo quyết định",
    "điều chỉnh quy hoạch sử dụng đất",
    "bổ sung dự toán ngân sách",
    "tăng cường phòng, chống dịch bệnh",
    "chuyển đổi số, xây dựng chính quyền điện tử",
    "bổ nhiệm, điều động cán bộ, công chức",
    "khắc phục hậu quả thiên tai",
    "kiểm tra công tác bảo vệ môi trường",
    "xây dựng nông thôn mới",
    "thanh tra việc chấp hành pháp luật",
)
FIELDS = (
    "y tế", "giáo dục", "tài chính", "nội vụ", "tư pháp", "xây dựng", "giao thông vận tải",
    "nông nghiệp", "tài nguyên", "công thương", "văn hóa", "du lịch", "khoa học", "công nghệ",
    "lao động", "thương binh", "dân tộc", "ngoại vụ", "quốc phòng", "an ninh", "thuế", "hải quan",
    "bảo hiểm xã hội", "kho bạc", "thống kê", "đấu thầu", "thủy lợi", "lâm nghiệp", "chăn nuôi",
    "đê điều",
)  # fmt: skip
FIRST = (
    "An", "Bình", "Châu", "Đông", "Gia", "Hòa", "Hưng", "Khánh", "Lộc", "Long", "Mỹ", "Nam",
    "Ngọc", "Phú", "Phước", "Quảng", "Sơn", "Tam", "Tân", "Thanh", "Thạnh", "Thiện", "Thuận",
    "Tiên", "Trung", "Vĩnh", "Xuân", "Yên", "Đại", "Hải",
)  # fmt: skip
LAST = (
    "Bảo", "Cường", "Điền", "Đức", "Giang", "Hà", "Hiệp", "Hội", "Kiều", "Lâm", "Lạc", "Lương",
    "Mai", "Minh", "Nghĩa", "Nhơn", "Phong", "Quý", "Tây", "Thắng", "Thịnh", "Thới", "Trạch",
    "Trị", "Trường", "Tường", "Vân", "Viên", "Xá", "Ân",
)  # fmt: skip
OUTAGES = 2_000  # of partners in the year, an hour each

# what is drawn from a hash of n is even over [0, 1); squared and more it favours the first
_DRAW = "((hashint8extended(n, {seed}) & 4294967295) / 4294967296.0)"
_PICK = "(ARRAY[{many}])[1 + floor({count} * power({draw}, {skew}))::int]"


def _draw(seed: int) -> str:
    return _DRAW.format(seed=seed)


def _pick(many: tuple[str, ...], seed: int, skew: float) -> str:
    listed = ", ".join(f"'{each}'" for each in many)
    return _PICK.format(many=listed, count=len(many), draw=_draw(seed), skew=skew)


def _agency(seed: int) -> str:
    return f"'H38.' || floor({AGENCIES} * power({_draw(seed)}, 2))::int"


_HEX = "lpad(to_hex(at / 1000), 12, '0')"
ROWS = f"""
WITH made AS MATERIALIZED (
  SELECT n, at, md5('ref' || n)::uuid::text AS ref, md5('document' || n)::uuid::text AS document,
    substr({_HEX}, 1, 8) || '-' || substr({_HEX}, 9, 4) || '-7000-8000-' || lpad(to_hex(n), 12, '0')
      AS id,
    {_agency(1)} AS sender,
    CASE WHEN n % 5 = 0 THEN {_agency(2)} || ' H38.a' || n % 97 || ' H38.b' || n % 89
      ELSE {_agency(2)} END AS receivers,
    (1 + n / {AGENCIES}) || '/' || {_pick(NOTATIONS, 3, 1.5)} AS code, md5('t' || n) AS trace,
    'V/v ' || {_pick(TOPICS, 4, 2)} || ' ngành ' || {_pick(FIELDS, 5, 3)} || ' tại xã '
      || {_pick(FIRST, 6, 2)} || ' ' || {_pick(LAST, 7, 2)} || ' năm 2026'
      || CASE WHEN n % 1000 = 0 THEN ' gói thầu số ' || n ELSE '' END
      || CASE WHEN n BETWEEN {{count}} / 2 AND {{count}} * 7 / 12 AND n % 4 = 0
         THEN ' phòng chống Covid-19' ELSE '' END AS subject
  FROM (SELECT n, $1::bigint + n * $2::bigint AS at
    FROM generate_series($3::bigint, $4::bigint) n) numbered),
messages AS (INSERT INTO message (id, sender, sender_ref, client, kind, receivers, document_id,
    document_code, order_key, lane, accepted_at, sha256, size, media_type, trace, canonical,
    decision, content)
  SELECT id, sender, ref, 'phan-mem-' || substr(sender, 5), 'document', receivers, document, code,
    document, 'normal', at, trace || trace, 20000 + n % 100000, 'application/edxml+xml',
    '00-' || trace || '-b7ad6b7169203331-01',
    '{{{{"id":"' || id || '","sender":"' || sender || '","sender_ref":"' || ref
      || '","receivers":["'
      || replace(receivers, ' ', '","') || '"],"order_key":"' || document
      || '","body":{{{{"kind":"document","document_id":"' || document || '","number":"'
      || split_part(code, '/', 1) || '","notation":"' || split_part(code, '/', 2)
      || '","subject":"' || subject
      || '","type_name":"Công văn","attachments":[],"references":[]}}}},"warnings":[]}}}}',
    '{{{{"kind":"document","sender":"' || sender
      || '","receivers":[{{{{"outcome":"deliver","agency":"'
      || receivers || '"}}}}]}}}}', '\\x00' FROM made),
single AS MATERIALIZED (
  SELECT made.*, receiver, 3 * n + place AS number,
    CASE WHEN n > {{count}} - {{count}} / 1000 THEN 'sent' WHEN n % 400 = 1 THEN 'refused'
      WHEN n % 1000 = 2 THEN 'arrived' WHEN n % 3 = 0 THEN 'finished' ELSE 'accepted' END AS state
  FROM made, unnest(string_to_array(receivers, ' ')) WITH ORDINALITY AS each(receiver, place)),
exchanges AS (INSERT INTO exchange (message_id, receiver, sender, document_id, document_code,
    promulgated, subject, business, priority, due_at, steering, state, recall, sent_at, arrived_at,
    accepted_at, changed_at, reports, arrival_told)
  SELECT id, receiver, sender, document, code, '2026-03-02', subject, 0, 0,
    CASE WHEN n % 20 = 0 THEN at + 864000000000 END, 0, state, 'none', at, at + 2000000,
    at + 3600000000, at + 3600000000, false, true FROM single),
deliveries AS (INSERT INTO delivery (id, message_id, endpoint, receivers, order_key, lane, state,
    pull, head, attempts, next_attempt_at, partner_ref, code, detail, created_at, first_attempt_at,
    finished_at)
  SELECT number, id, 'diem-' || substr(receiver, 5), receiver, document, 'normal',
    CASE state WHEN 'sent' THEN 'queued' WHEN 'refused' THEN 'rejected' ELSE 'delivered' END, false,
    state = 'sent', 1, at, document, CASE state WHEN 'refused' THEN 'partner-refused' END,
    CASE state WHEN 'refused' THEN 'sai nơi nhận' END, at, at + 500000,
    CASE WHEN state <> 'sent' THEN at + 2000000 END FROM single)
INSERT INTO journal (chain, seq, at, event, message_id, delivery_id, actor, data, hash)
SELECT md5('chain' || n / 10000)::uuid::text, 4 * n, at, 'accepted', id, NULL,
  'phan-mem-' || substr(sender, 5), '{{{{"sender":"' || sender || '","ref":"' || ref
    || '","sha256":"' || trace || trace || '","size":20000,"deliveries":[["diem","' || receivers
    || '"]]}}}}', decode(trace || trace, 'hex') FROM made
UNION ALL
SELECT md5('chain' || n / 10000)::uuid::text, 4 * n + number - 3 * n, at + 2000000,
  CASE state WHEN 'refused' THEN 'rejected' ELSE 'delivered' END, id, number,
  'may-chu-1:4711:' || document, '{{{{"endpoint":"diem-' || substr(receiver, 5)
    || '","attempt":1,"partnerRef":"' || document || '"}}}}', decode(trace || trace, 'hex')
FROM single WHERE state <> 'sent'
"""  # noqa: S608 - constants of this file
PARTNERS_AWAY = f"""
INSERT INTO journal (chain, seq, at, event, actor, data, hash)
SELECT 'partners', 2 * n + closed, $1::bigint + n * {YEAR // OUTAGES} + closed * 3600000000,
  CASE closed WHEN 0 THEN 'breaker-opened' ELSE 'breaker-closed' END, 'may-chu-1',
  '{{"endpoint":"diem-' || n % {AGENCIES} || '"}}', '\\x00'
FROM generate_series(0, {OUTAGES} - 1) n, generate_series(0, 1) closed
"""  # noqa: S608 - constants of this file
TABLES = ("message", "exchange", "delivery", "journal")
CHUNK = 50_000  # messages in one transaction


@dataclass(frozen=True, slots=True)
class Shape:
    """So many messages, the last one now."""

    count: int
    now: Instant

    @property
    def step(self) -> int:
        return YEAR // self.count

    @property
    def start(self) -> Instant:
        return self.now - self.count * self.step

    def message_id(self, n: int) -> str:
        digits = f"{(self.start + n * self.step) // 1000:012x}"
        return f"{digits[:8]}-{digits[8:]}-7000-8000-{n:012x}"


def partner_id(what: str, n: int) -> str:
    """`ref` or `document`: the sender's id of message n, and its document's."""
    digits = hashlib.md5(f"{what}{n}".encode(), usedforsecurity=False).hexdigest()
    parts = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
    return "-".join(parts)


async def fill(url: str, shape: Shape, *, sessions: int = 2) -> None:
    """Into the empty tables of a ledger, its indexes built behind the rows.

    The four large tables are made UNLOGGED, so that rows are written once: reading them costs the
    same, writing them less.
    """
    async with asyncpg.create_pool(url, min_size=sessions, max_size=sessions) as pool:
        async with pool.acquire() as connection:
            indexes = [await _strip(connection, table) for table in TABLES]
        firsts = iter(range(1, shape.count + 1, CHUNK))
        makers = iter([made for table in indexes for made in table])

        async def rows() -> None:
            async with pool.acquire() as connection:
                await connection.execute("SET work_mem = '128MB'; SET jit = off")
                for first in firsts:
                    last = min(first + CHUNK - 1, shape.count)
                    sql = ROWS.format(count=shape.count)
                    given = (shape.start, shape.step, first, last)
                    await connection.execute(sql, *given, timeout=7200)

        async def index() -> None:
            async with pool.acquire() as connection:
                await connection.execute("SET maintenance_work_mem = '512MB'")
                for made in makers:
                    await connection.execute(made, timeout=7200)

        await asyncio.gather(*(rows() for _ in range(sessions)))
        await pool.execute(PARTNERS_AWAY, shape.start)
        await pool.execute("SELECT setval('delivery_id_seq', $1)", 3 * shape.count + 10)
        await asyncio.gather(*(index() for _ in range(sessions)))
        await pool.execute("VACUUM ANALYZE", timeout=7200)


async def _strip(connection: asyncpg.Connection, table: str) -> list[str]:
    """Drops all indexes of a table; returns what makes them again."""
    again = []
    await connection.execute(f"ALTER TABLE {table} SET UNLOGGED")
    for name, definition, constraint in await connection.fetch(
        "SELECT indexname, indexdef, pg_get_constraintdef(c.oid) FROM pg_indexes"
        " LEFT JOIN pg_constraint c ON c.conname = indexname WHERE tablename = $1",
        table,
    ):
        if constraint:
            await connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
            again.append(f"ALTER TABLE {table} ADD CONSTRAINT {name} {constraint}")
        else:
            await connection.execute(f"DROP INDEX {name}")
            again.append(definition)
    return again
