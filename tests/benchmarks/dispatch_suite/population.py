"""People to write to, made inside PostgreSQL: consents of every kind, suppressions, merges, messages they got before.

Chance is a hash of the row's number, so the same sizes give the same people. Names and addresses of the first ones can
be read, as the application would have stored them; those of the others only have their digests, which is all that
planning looks at.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection, transaction

from campaigns.models import CapAction, CapClock, CapUnit, FrequencyCap, Run
from campaigns.states import RunState
from compliance import addresses, keys, vault
from segments import identities
from segments.models import Segment, SegmentKind
from segments.partitions import ensure_months, month_of
from tests.benchmarks.segment_suite.population import CHANCE, SUBJECTS, hmac_pads
from tests.benchmarks.segment_suite.stage import execute, rows
from tests.factories.campaigns import RunFactory
from tests.factories.compliance import NoticeFactory

CITIES = ("Shanghai", "Beijing", "Chengdu", "Hangzhou", "Wuhan", "Berlin", "Lisbon", "Oslo")
ZONES = ("Asia/Shanghai", "Asia/Shanghai", "Asia/Tokyo", "Europe/Berlin", "")
EARLIER_DAYS = 10  # over which the earlier messages are spread
EARLIER = {1: 0.6, 2: 0.4}  # earlier runs, and what part of the people each reached

PROFILES = """
    INSERT INTO segments_profile (subject_id, gender, language, country, region, city, timezone, attributes, created_at,
        updated_at)
    SELECT n, CASE WHEN chance(n, 1) < 0.5 THEN 'female' ELSE 'male' END, 'en', 'CN', '',
        (%(cities)s::text[])[1 + floor(cardinality(%(cities)s::text[]) * chance(n, 2))::int],
        (%(zones)s::text[])[1 + floor(cardinality(%(zones)s::text[]) * chance(n, 3))::int],
        jsonb_build_object('level', floor(6 * chance(n, 4))::int), %(now)s, %(now)s
    FROM generate_series(1, %(people)s) n
"""
MERGED = """
    UPDATE {table} SET merged_into_id = {key} - 1 WHERE {key} %% 1000 = 13
"""
# HMAC-SHA-256 (RFC 2104) by hand: PostgreSQL itself has the hash only.
IDENTITIES = """
    INSERT INTO segments_identity (profile_id, kind, digest, value_encrypted, is_primary, created_at)
    SELECT n, 'email', sha256(%(outer)s || sha256(%(inner)s || convert_to('person-' || n || '@example.com', 'UTF8'))),
        decode(repeat('00', 40), 'hex'), true, %(now)s
    FROM generate_series(1, %(people)s) n WHERE chance(n, 5) < 0.98
"""
CONSENTS = """
    WITH given AS (
        INSERT INTO compliance_consentrecord (uid, subject_id, purpose_id, channel, action, method, notice_id, source,
            evidence, occurred_at, expires_at, recorded_at, recorded_by)
        SELECT lpad(to_hex(n), 32, '0')::uuid, n, %(purpose)s, 'email',
            CASE WHEN chance(n, 6) < 0.93 THEN 'given' ELSE 'withdrawn' END, 'form', %(notice)s, 'benchmark', '{}',
            %(now)s::timestamptz - interval '90 days',
            CASE WHEN chance(n, 7) < 0.03 THEN %(now)s::timestamptz - interval '1 day' END, %(now)s, 'benchmark'
        FROM generate_series(1, %(people)s) n WHERE chance(n, 8) < 0.96
        RETURNING id, subject_id, purpose_id, channel, action, occurred_at, expires_at
    )
    INSERT INTO compliance_consentstate (subject_id, purpose_id, channel, action, record_id, occurred_at, expires_at)
    SELECT subject_id, purpose_id, channel, action, id, occurred_at, expires_at FROM given
"""
SUPPRESSIONS = """
    INSERT INTO compliance_suppression (digest, channel, reason, source, created_at, created_by, lifted_by, lifted_note)
    SELECT digest, CASE WHEN chance(profile_id, 9) < 0.5 THEN 'email' ELSE '' END, 'complaint', '', %(now)s,
        'benchmark', '', ''
    FROM segments_identity WHERE chance(profile_id, 10) < 0.01
"""
MESSAGES = """
    INSERT INTO campaigns_delivery (run_id, profile_id, step, month, channel, state, reason, address_digest, due_at,
        attempts, changed_at, sent_at, error)
    SELECT %(run)s, profile_id, 0, %(month)s, 'email', 'sent', '', digest, at, 1, at, at, ''
    FROM segments_identity, LATERAL (
        SELECT %(at)s::timestamptz - interval '1 minute' - chance(profile_id, %(salt)s) * %(days)s * interval '1 day'
    ) AS sent (at)
    WHERE chance(profile_id, %(salt)s + 1) < %(share)s
    ORDER BY profile_id
"""
MEMBERS = """
    INSERT INTO segments_segmentmembership (segment_id, profile_id, entered_at)
    SELECT %s, n, %s FROM generate_series(1, %s) n
"""
READABLE = """
    CREATE TEMPORARY TABLE readable (person bigint, wrapped bytea, name bytea, address bytea)
"""
COPY = "COPY readable (person, wrapped, name, address) FROM STDIN (FORMAT BINARY)"
MAKE_READABLE = (
    "UPDATE compliance_subject s SET wrapped_key = wrapped FROM readable WHERE person = s.id",
    "UPDATE segments_profile p SET name_encrypted = name FROM readable WHERE person = subject_id",
    """UPDATE segments_identity i SET value_encrypted = address FROM readable
       WHERE person = profile_id AND kind = 'email'""",
    "DROP TABLE readable",
)


def make(people: int, *, readable: int, now: datetime) -> None:
    """Fill the empty tables with so many people, of whom the first `readable` can be written to."""
    execute(CHANCE)
    notice = NoticeFactory()
    outer, inner = hmac_pads(keys.digest_key())
    common = {
        "people": people, "now": now, "cities": list(CITIES), "zones": list(ZONES), "outer": outer,
        "inner": inner + b"email\0", "purpose": notice.purpose_id, "notice": notice.pk,
    }  # fmt: skip
    with transaction.atomic():
        for statement in (SUBJECTS, PROFILES, IDENTITIES, CONSENTS, SUPPRESSIONS):
            execute(statement, common)
        execute(MERGED.format(table="compliance_subject", key="id"), ())
        execute(MERGED.format(table="segments_profile", key="subject_id"), ())
        _make_readable(readable)
    ((digest,),) = rows("SELECT digest FROM segments_identity ORDER BY profile_id LIMIT 1")
    ((person,),) = rows("SELECT profile_id FROM segments_identity ORDER BY profile_id LIMIT 1")
    assert bytes(digest) == addresses.digest("email", address_of(person))


def make_earlier_messages(*, at: datetime) -> None:
    """Messages that people got in the days before `at`, by campaigns that are over."""
    before = at - timedelta(days=EARLIER_DAYS)
    ensure_months("campaigns_delivery", [month_of(before)])
    for number, share in EARLIER.items():
        run = RunFactory(campaign__scheduled_at=before)
        Run.objects.filter(pk=run.pk).update(state=RunState.FINISHED)
        execute(MESSAGES, {
            "run": run.pk, "month": month_of(before), "at": at, "days": EARLIER_DAYS, "salt": 20 * number,
            "share": share,
        })  # fmt: skip


def make_caps() -> None:
    """Two in a week, or the person is left out; one a day of the person's calendar, or the message waits."""
    FrequencyCap.objects.create(
        name="week", most=2, periods=7, unit=CapUnit.DAY, clock=CapClock.ROLLING, action=CapAction.DROP
    )
    FrequencyCap.objects.create(
        name="day", most=1, unit=CapUnit.DAY, clock=CapClock.CALENDAR_OF_PERSON, action=CapAction.DEFER
    )


def widen_caps() -> None:
    """Caps that are asked as before and that nobody reaches, so that the same people can be written to again."""
    FrequencyCap.objects.update(most=1_000)


def make_list(key: str, people: int, *, now: datetime) -> Segment:
    """An uploaded list of the first so many people."""
    listed = Segment.objects.create(
        key=key, name=key, definition={}, kind=SegmentKind.UPLOADED, is_active=False, member_count=people
    )
    execute(MEMBERS, [listed.pk, now, people])
    return listed


def address_of(person: int) -> str:
    """The e-mail address of a person."""
    return f"person-{person}@example.com"


def _make_readable(people: int) -> None:
    execute(READABLE)
    with connection.cursor() as cursor:
        with cursor.copy(COPY) as copy:
            copy.set_types(["int8", "bytea", "bytea", "bytea"])
            for row in _encrypted(people):
                copy.write_row(row)
        for statement in MAKE_READABLE:
            cursor.execute(statement)


def _encrypted(people: int) -> Iterator[tuple[int, bytes, bytes, bytes]]:
    master_key = keys.master_key()
    for person in range(1, people + 1):
        key = vault.new_data_key()
        name = identities.encrypt_name(key, f"Reader Nr {person}")
        yield (
            person, vault.wrap(master_key, key, UUID(int=person)), name,
            identities.encrypt(key, "email", address_of(person)),
        )  # fmt: skip
