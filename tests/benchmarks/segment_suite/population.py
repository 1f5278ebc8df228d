"""A shop's people and what they did, made inside PostgreSQL: the same for the same sizes, shifted with the clock.

Skewed as real shops are: three people in ten never did anything, the busiest did hundreds of things; a few cities and
categories take most; recent days are busier than old ones; baskets have several lines. Chance is a hash of the row's
number, so neither plan nor parallel workers change the outcome.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction
from tqdm import tqdm

from compliance import addresses, keys
from segments.models import ProfileTag, Source, Tag, TagLayer
from segments.partitions import ensure_months, month_of
from segments.services import event_store, rfm
from tests.benchmarks.segment_suite.stage import execute
from tests.factories.compliance import NoticeFactory

DAYS = 365
CHUNK = 500_000
SOURCE = "shop"
CITIES = (
    ("Shanghai", "Shanghai"), ("Beijing", "Beijing"), ("Shenzhen", "Guangdong"), ("Guangzhou", "Guangdong"),
    ("Chengdu", "Sichuan"), ("Hangzhou", "Zhejiang"), ("Wuhan", "Hubei"), ("Suzhou", "Jiangsu"), ("Nanjing", "Jiangsu"),
    ("Xi'an", "Shaanxi"), ("Chongqing", "Chongqing"), ("Tianjin", "Tianjin"), ("Changsha", "Hunan"),
    ("Ningbo", "Zhejiang"), ("Qingdao", "Shandong"), ("Kunming", "Yunnan"), ("Dalian", "Liaoning"), ("Hefei", "Anhui"),
    ("Harbin", "Heilongjiang"), ("Lhasa", "Tibet"),
)  # fmt: skip
CATEGORIES = ("tea", "fruit", "snacks", "shoes", "toys", "books", "phones", "wine", "beauty", "garden", "pets", "art")
COLOURS = ("black", "white", "red", "blue", "green")
TAGS = {"vip": 0.05, "price_sensitive": 0.2, "tea_lover": 0.1, "coupon_user": 0.15, "new_parent": 0.03}

CHANCE = """
    CREATE OR REPLACE FUNCTION chance(number bigint, salt bigint) RETURNS float8 LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS 'SELECT (hashint8extended(number, salt) & 4503599627370495) / 4503599627370496.0::float8'
"""
SUBJECTS = """
    INSERT INTO compliance_subject (id, uid, wrapped_key, created_at)
    SELECT n, lpad(to_hex(n), 32, '0')::uuid, decode(repeat('00', 60), 'hex'), %(now)s
    FROM generate_series(1, %(people)s) n
"""
PROFILES = """
    INSERT INTO segments_profile (subject_id, gender, birth_date, language, country, region, city, timezone, attributes,
        created_at, updated_at)
    SELECT n, CASE WHEN chance(n, 1) < 0.48 THEN 'female' WHEN chance(n, 1) < 0.93 THEN 'male' ELSE '' END,
        CASE WHEN chance(n, 2) < 0.7 THEN date '1946-01-01' + (chance(n, 3) * 22000)::int END, 'zh-Hans', 'CN',
        (%(regions)s::text[])[place], (%(cities)s::text[])[place], 'Asia/Shanghai',
        jsonb_build_object('income', (array['low', 'middle', 'high'])[1 + floor(3 * chance(n, 5) ^ 1.5)::int],
            'level', floor(6 * chance(n, 6) ^ 2)::int, 'household', 1 + floor(5 * chance(n, 7))::int),
        %(now)s::timestamptz - chance(n, 8) * interval '730 days', %(now)s
    FROM generate_series(1, %(people)s) n,
        LATERAL (SELECT 1 + floor(cardinality(%(cities)s::text[]) * chance(n, 4) ^ 2)::int) AS p (place)
"""
# HMAC-SHA-256 (RFC 2104) by hand: PostgreSQL itself has the hash only.
IDENTITIES = """
    INSERT INTO segments_identity (profile_id, kind, digest, value_encrypted, is_primary, created_at)
    SELECT n, 'external', sha256(%(outer)s || sha256(%(inner)s || convert_to('C' || n, 'UTF8'))),
        decode(repeat('00', 40), 'hex'), true, %(now)s
    FROM generate_series(1, %(people)s) n
"""
CARRIED = """
    INSERT INTO segments_profiletag (profile_id, tag_id, weight, confidence, source, assigned_at, expires_at {more})
    SELECT n, %(tag)s, round((0.1 + 0.9 * chance(n, %(tag)s + 100))::numeric, 3), 1, 'benchmark', %(now)s,
        CASE WHEN chance(n, %(tag)s + 200) < 0.2
             THEN %(now)s::timestamptz + (chance(n, %(tag)s + 300) - 0.3) * interval '60 days' END {value}
    FROM generate_series(1, %(people)s) n WHERE chance(n, %(tag)s) < %(share)s
"""
CONSENTS = """
    WITH given AS (
        INSERT INTO compliance_consentrecord (uid, subject_id, purpose_id, channel, action, method, notice_id, source,
            evidence, occurred_at, recorded_at, recorded_by)
        SELECT lpad(to_hex(n), 32, '0')::uuid, n, %(purpose)s, 'email',
            CASE WHEN chance(n, 10) < 0.9 THEN 'given' ELSE 'withdrawn' END, 'form', %(notice)s, 'benchmark', '{}',
            %(now)s, %(now)s, 'benchmark'
        FROM generate_series(1, %(people)s) n WHERE chance(n, 9) < 0.5
        RETURNING id, subject_id, purpose_id, channel, action, occurred_at
    )
    INSERT INTO compliance_consentstate (subject_id, purpose_id, channel, action, record_id, occurred_at)
    SELECT subject_id, purpose_id, channel, action, id, occurred_at FROM given
"""
# Every third row is one more line of the purchase before it. Busy people are spread over all ids by a large prime.
EVENTS = """
    INSERT INTO segments_event (profile_id, occurred_at, dedup, name, source_id, amount, currency, category, properties,
        received_at)
    SELECT profile_id, occurred_at, md5('event' || n)::uuid, name, %(source)s,
        CASE WHEN is_purchase
             THEN round((30 * exp(2.2 * (chance(n, 20) + chance(n, 21) + chance(n, 22) - 1.5)))::numeric, 2) END,
        CASE WHEN is_purchase THEN 'CNY' ELSE '' END,
        (%(categories)s::text[])[1 + floor(cardinality(%(categories)s::text[]) * chance(n, 23) ^ 1.7)::int],
        CASE WHEN chance(n, 24) < 0.3 THEN jsonb_build_object('color', (%(colours)s::text[])[1 + floor(
            cardinality(%(colours)s::text[]) * chance(n, 25))::int], 'channel', 'app') END,
        occurred_at + interval '1 second'
    FROM generate_series(%(first)s::bigint, %(last)s::bigint) n
    CROSS JOIN LATERAL (SELECT CASE WHEN n %% 3 = 2 AND chance(n - 1, 11) < 0.09 THEN n - 1 ELSE n END) AS o (occasion)
    CROSS JOIN LATERAL (SELECT
        1 + floor(0.7 * %(people)s * (0.03 + 0.97 * chance(occasion, 12)) ^ 2.2)::bigint * 2147483647 %% %(people)s,
        %(now)s::timestamptz - %(days)s * (1 - occasion / (%(events)s + 1.0)) ^ 1.3 * interval '1 day'
            - (chance(occasion, 13) + chance(occasion, 14)) * interval '1 hour',
        CASE WHEN chance(occasion, 11) < 0.09 THEN 'purchase' WHEN chance(occasion, 11) < 0.19 THEN 'add_to_cart'
             WHEN chance(occasion, 11) < 0.26 THEN 'search' WHEN chance(occasion, 11) < 0.41 THEN 'click'
             WHEN chance(occasion, 11) < 0.43 THEN 'support_contact' ELSE 'browse' END,
        chance(occasion, 11) < 0.09
    ) AS w (profile_id, occurred_at, name, is_purchase)
"""
STATISTICS = """
    INSERT INTO segments_profilestats (profile_id, event_count, first_event_at, last_event_at, order_count,
        order_amount, first_order_at, last_order_at)
    WITH did AS (
        SELECT profile_id, count(*) AS events, min(occurred_at) AS first_at, max(occurred_at) AS last_at
        FROM segments_event GROUP BY profile_id
    ), orders AS (
        SELECT profile_id, occurred_at, sum(amount) AS amount FROM segments_event WHERE name = 'purchase'
        GROUP BY profile_id, occurred_at
    ), bought AS (
        SELECT profile_id, count(*) AS orders, sum(amount) AS amount, min(occurred_at) AS first_at,
            max(occurred_at) AS last_at
        FROM orders GROUP BY profile_id
    )
    SELECT n, coalesce(did.events, 0), did.first_at, did.last_at, coalesce(bought.orders, 0),
        coalesce(bought.amount, 0), bought.first_at, bought.last_at
    FROM generate_series(1, %(people)s) n
    LEFT JOIN did ON did.profile_id = n LEFT JOIN bought ON bought.profile_id = n
"""
SEQUENCE = "SELECT setval(pg_get_serial_sequence('compliance_subject', 'id'), %(people)s)"
DROP_KEY = "ALTER TABLE segments_event DROP CONSTRAINT event_key"
ADD_KEY = "ALTER TABLE segments_event ADD CONSTRAINT event_key UNIQUE (profile_id, occurred_at, dedup)"


@dataclass(frozen=True)
class Size:
    """How many people, and how many things they did."""

    people: int
    events: int


def make(size: Size, *, now: datetime, quiet: bool = True) -> None:
    """Fill the empty tables. `now` is the moment of the last events."""
    with connection.cursor() as cursor:
        cursor.execute(CHANCE)
    with transaction.atomic():
        _people(size, now)
    _events(size, now, quiet)
    execute(STATISTICS, {"people": size.people})
    rfm.recompute(now=now, actor="benchmark")
    if not connection.in_atomic_block:
        execute("VACUUM ANALYZE")
    else:
        execute("ANALYZE")


def _people(size: Size, now: datetime) -> None:
    common = {"people": size.people, "now": now}
    execute(SUBJECTS, common)
    regions, cities = [region for _, region in CITIES], [city for city, _ in CITIES]
    execute(PROFILES, {**common, "regions": regions, "cities": cities})
    outer, inner = hmac_pads(keys.digest_key())
    execute(IDENTITIES, {**common, "outer": outer, "inner": inner + f"external\0{SOURCE}\0".encode()})
    for key, share in TAGS.items():
        tag, _ = Tag.objects.get_or_create(key=key, defaults={"name": key, "layer": TagLayer.DYNAMIC})
        execute(_carried(), {**common, "tag": tag.pk, "share": share})
    notice = NoticeFactory()
    execute(CONSENTS, {**common, "notice": notice.pk, "purpose": notice.purpose_id})
    execute(SEQUENCE, common)


def _carried() -> str:
    """As given from outside, where tags say so, so that no computation takes them away."""
    says_so = any(field.name == "is_given" for field in ProfileTag._meta.get_fields())
    return CARRIED.format(more=", is_given" if says_so else "", value=", true" if says_so else "")


def _events(size: Size, now: datetime, quiet: bool) -> None:
    """Loaded without the key, which is built once at the end, as one would restore a dump."""
    source, _ = Source.objects.get_or_create(key=SOURCE, defaults={"name": SOURCE})
    months = {month_of(now - timedelta(days=day)) for day in range(-31, DAYS + 2)}
    ensure_months(event_store.EVENT_TABLE, months)
    execute(DROP_KEY)
    common = {
        "people": size.people, "events": size.events, "now": now, "source": source.pk, "days": DAYS,
        "categories": list(CATEGORIES), "colours": list(COLOURS),
    }  # fmt: skip
    with tqdm(total=size.events, unit=" events", unit_scale=True, disable=quiet) as bar:
        for first in range(1, size.events + 1, CHUNK):
            last = min(first + CHUNK - 1, size.events)
            execute(EVENTS, {**common, "first": first, "last": last})
            bar.update(last - first + 1)
    execute(ADD_KEY)


def hmac_pads(key: bytes) -> tuple[bytes, bytes]:
    """The outer and inner first block of HMAC-SHA-256 under a key of at most 64 bytes (RFC 2104, section 2)."""
    block = key.ljust(64, b"\0")
    return bytes(byte ^ 0x5C for byte in block), bytes(byte ^ 0x36 for byte in block)


def external_id(person: int) -> str:
    """The customer number of a person in the source `SOURCE`."""
    return f"C{person}"


def check_digests() -> None:
    """The digests made in SQL are those that the application looks up."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT digest FROM segments_identity WHERE profile_id = 1")
        ((digest,),) = cursor.fetchall()
    assert bytes(digest) == addresses.digest("external", f"{SOURCE}\0{external_id(1)}")
