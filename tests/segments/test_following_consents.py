"""A change of consent, by whatever way, moves the person within seconds; an expiry does when its time comes."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from compliance import addresses, tokens
from compliance.models import ConsentState, Notice, Subject
from compliance.services import consent, preferences, unsubscribe
from segments import causes
from segments.models import Profile, ProfileTag, Rhythm, Segment, SegmentChange, SegmentMembership, TagKind, Touch
from segments.services import followup, merging, segments, touches
from segments.services.tags import following
from tests.factories.compliance import NoticeFactory, PurposeFactory, SubjectFactory
from tests.factories.segments import make_profile
from tests.segments.tags.stage import compute, define, follow

pytestmark = pytest.mark.django_db
ACTOR = "test"
GIVEN = {"consent": "offers", "channel": "email", "op": "given"}
DIGEST = addresses.digest("email", "person-1@example.com")
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


@pytest.fixture
def notice() -> Notice:
    return NoticeFactory(purpose=PurposeFactory(key="offers"))


@pytest.fixture
def person() -> Profile:
    return make_profile(1)


@pytest.fixture
def segment(now: datetime, person: Profile, notice: Notice) -> Segment:
    """Those who agreed, checked by the clock already, with no touch waiting."""
    return agreeing(now)


def agreeing(now: datetime, key: str = "agreeing", definition: Any = None) -> Segment:
    made = segments.create(key=key, name=key, definition=definition or GIVEN, actor=ACTOR, now=now)
    followup.follow_clock(now=now, actor=ACTOR)
    follow(now)
    return made


def decision(notice: Notice, person_id: int, now: datetime, action: str = "given", **fields: Any) -> consent.Decision:
    given = {"method": "form", "expires_at": None} | fields
    return consent.Decision(
        subject_id=person_id, purpose_id=notice.purpose_id, channel="email", action=action, notice_id=notice.pk,
        source="test", occurred_at=now, **given,
    )  # fmt: skip


def decide(notice: Notice, person_id: int, now: datetime, action: str = "given", **fields: Any) -> None:
    consent.record(decision=decision(notice, person_id, now, action, **fields), actor=ACTOR, now=now)


def claim(notice: Notice, person: Profile) -> tokens.Claim:
    return tokens.Claim(person.pk, notice.purpose_id, "email", DIGEST, reference=42)


def members(segment: Segment) -> set[int]:
    return set(SegmentMembership.objects.filter(segment=segment).values_list("profile_id", flat=True))


def history(segment: Segment) -> list[tuple[int, str, str]]:
    return list(SegmentChange.objects.filter(segment=segment).order_by("pk").values_list("profile_id", "kind", "cause"))


def waiting() -> list[tuple[int | None, str]]:
    return sorted(Touch.objects.values_list("profile_id", "cause"))


GIVING: dict[str, Callable[[Notice, Profile, datetime], object]] = {
    "form": lambda notice, person, now: decide(notice, person.pk, now),
    "double opt-in": lambda notice, person, now: decide(notice, person.pk, now, method="double_opt_in"),
    "import": lambda notice, person, now: consent.record_many(
        decisions=[decision(notice, person.pk, now, method="import")], actor=ACTOR, now=now
    ),
    "preference centre": lambda notice, person, now: preferences.save(
        claim=claim(notice, person), wanted={(notice.purpose_id, "email"): notice.pk}, language="en", now=now
    ),
}
WITHDRAWING: dict[str, Callable[[Notice, Profile, datetime], object]] = {
    "staff": lambda notice, person, now: consent.withdraw(
        subject_id=person.pk, purpose_id=notice.purpose_id, channel="email", method="staff", source="test",
        actor=ACTOR, now=now,
    ),
    "import": lambda notice, person, now: decide(notice, person.pk, now, "withdrawn", method="import"),
    "preference centre": lambda notice, person, now: preferences.save(
        claim=claim(notice, person), wanted={}, language="en", now=now
    ),
    "no to all": lambda notice, person, now: preferences.stop_all(claim=claim(notice, person), now=now),
    "link": lambda notice, person, now: unsubscribe.by_token(
        token=tokens.issue(claim(notice, person)), method="one_click", now=now
    ),
    "address": lambda notice, person, now: unsubscribe.by_address(
        digest=DIGEST, subject_id=person.pk, purpose_id=None, channel="email", method="staff", source="test",
        actor=ACTOR, now=now,
    ),
    "raw SQL": lambda _notice, person, _now: by_hand(
        "UPDATE compliance_consentstate SET action = 'withdrawn' WHERE subject_id = %s", person.pk
    ),
    "deletion": lambda _notice, person, _now: ConsentState.objects.filter(subject=person.pk).delete(),
}  # fmt: skip


def by_hand(statement: str, *params: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)


@pytest.mark.parametrize("way", GIVING)
def test_who_agrees_enters(segment: Segment, person: Profile, notice: Notice, now: datetime, way: str) -> None:
    GIVING[way](notice, person, now + MINUTE)
    assert waiting() == [(person.pk, causes.CONSENT)]
    follow(now + MINUTE)
    assert history(segment) == [(person.pk, "entered", "consent")]
    assert members(segment) == {person.pk}


@pytest.mark.parametrize("way", WITHDRAWING)
def test_who_withdraws_leaves(segment: Segment, person: Profile, notice: Notice, now: datetime, way: str) -> None:
    decide(notice, person.pk, now)
    follow(now)
    WITHDRAWING[way](notice, person, now + MINUTE)
    assert waiting() == [(person.pk, causes.CONSENT)]
    follow(now + MINUTE)
    assert history(segment)[1:] == [(person.pk, "left", "consent")]
    assert members(segment) == set()


def test_a_change_that_is_undone_and_a_state_that_stays_leave_nothing(
    segment: Segment, person: Profile, notice: Notice, now: datetime
) -> None:
    with transaction.atomic():
        decide(notice, person.pk, now)
        transaction.set_rollback(True)
    assert waiting() == []
    decide(notice, person.pk, now)
    follow(now)
    decide(notice, person.pk, now + MINUTE)
    assert waiting() == []


def test_segments_that_do_not_ask_are_not_asked(
    segment: Segment, person: Profile, notice: Notice, now: datetime
) -> None:
    local = agreeing(now, "local", {"attribute": "city", "op": "eq", "value": "Wuhan"})
    Profile.objects.filter(pk=person.pk).update(city="Wuhan")  # behind the back of whoever follows
    decide(notice, person.pk, now)
    follow(now)
    assert (members(segment), members(local)) == ({person.pk}, set())


def test_somebody_without_a_profile_is_no_touch(segment: Segment, notice: Notice, now: datetime) -> None:
    decide(notice, SubjectFactory().pk, now)
    assert waiting() == []


def test_an_expiry_moves_those_whose_consent_ends_and_asks_nobody_else(
    segment: Segment, person: Profile, notice: Notice, now: datetime
) -> None:
    other = make_profile(2)
    for one, days in ((person, 1), (other, 2)):
        decide(notice, one.pk, now, expires_at=now + days * DAY)
    follow(now)
    follow_clock_as_if_asked(now + DAY - MINUTE)
    assert members(segment) == {person.pk, other.pk}
    Profile.objects.filter(pk=other.pk).update(merged_into=person)  # seen only by who is asked about
    follow_clock_as_if_asked(now + DAY)
    assert members(segment) == {other.pk}
    assert history(segment)[2:] == [(person.pk, "left", "clock")]
    assert consent.expire_due(now=now + DAY, actor=ACTOR) == 1
    follow(now + DAY)
    assert members(segment) == {other.pk}


def follow_clock_as_if_asked(now: datetime) -> None:
    Segment.objects.update(refreshed_at=now)  # as if it had been looked at whole a moment ago
    assert followup.follow_clock(now=now, actor=ACTOR) == {}


def test_a_yes_that_ends_later_or_never_is_a_change(
    segment: Segment, person: Profile, notice: Notice, now: datetime
) -> None:
    decide(notice, person.pk, now, expires_at=now + DAY)
    follow(now)
    decide(notice, person.pk, now + MINUTE)
    assert waiting() == [(person.pk, causes.CONSENT)]


def test_a_decision_of_who_was_merged_concerns_the_survivor(
    segment: Segment, person: Profile, notice: Notice, now: datetime
) -> None:
    other = make_profile(2)
    decide(notice, other.pk, now)
    follow(now)
    made = merging.merge(survivor_id=person.pk, absorbed_id=other.pk, cause="staff", actor=ACTOR, now=now)
    assert (person.pk, causes.CONSENT) in waiting()  # carried over
    follow(now)
    assert members(segment) == {person.pk}
    consent.withdraw(
        subject_id=other.pk, purpose_id=notice.purpose_id, channel="email", method="link", source="test", actor=ACTOR,
        now=now + MINUTE,
    )  # fmt: skip
    assert waiting() == [(person.pk, causes.CONSENT)]
    follow(now + MINUTE)
    assert (members(segment), history(segment)[-1]) == (set(), (person.pk, "left", "consent"))
    merging.undo(merge=made, actor=ACTOR, now=now + 2 * MINUTE)
    follow(now + 2 * MINUTE)
    assert members(segment) == set()


@pytest.mark.parametrize(("more", "rows"), [(0, touches.VAST), (1, 1)])
def test_the_consents_of_very_many_are_one_touch_about_everybody(
    segment: Segment, notice: Notice, now: datetime, more: int, rows: int
) -> None:
    many = Subject.objects.bulk_create(Subject(wrapped_key=b"k") for _ in range(touches.VAST + more))
    Profile.objects.bulk_create(Profile(subject=one, created_at=now, updated_at=now) for one in many)
    decide(notice, many[0].pk, now)
    record_id = ConsentState.objects.get().record_id
    ConsentState.objects.all().delete()
    follow(now)
    by_hand(
        "INSERT INTO compliance_consentstate (subject_id, purpose_id, channel, action, record_id, occurred_at)"
        " SELECT subject, %s, 'email', 'given', %s, %s FROM unnest(%s::bigint[]) subject",
        notice.purpose_id, record_id, now, [one.pk for one in many],
    )  # fmt: skip
    assert len(waiting()) == rows
    by_hand("UPDATE compliance_consentstate SET expires_at = %s", now + DAY)
    assert len(waiting()) == 2 * rows
    if more:
        assert waiting() == [(None, causes.CONSENT)] * 2
        assert set(followup.follow_clock(now=now + MINUTE, actor=ACTOR)) == {"agreeing"}
        assert len(members(segment)) == touches.VAST + more
        assert not waiting()


def test_tags_follow_consents(person: Profile, notice: Notice, now: datetime) -> None:
    tag = define("agreed", TagKind.RULE, now, rhythm=Rhythm.AT_ONCE, rule=GIVEN)
    compute(tag, now)
    carrying = agreeing(now, "carrying", {"tag": "agreed", "op": "has"})
    decide(notice, person.pk, now, expires_at=now + DAY)
    follow(now)
    assert ProfileTag.objects.get(tag=tag).profile_id == person.pk
    assert history(carrying) == [(person.pk, "entered", "tag:agreed")]
    following.follow_clock(now=now, actor=ACTOR)
    assert following.follow_clock(now=now + DAY - MINUTE, actor=ACTOR) == 0
    assert following.follow_clock(now=now + DAY, actor=ACTOR) == 1
    assert not ProfileTag.objects.filter(tag=tag).exists()
    follow(now + DAY)
    assert members(carrying) == set()
