"""Merged ledgers: the most restrictive wins, and no merge and no undoing makes a no a yes."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError
from django.test import Client

from compliance import addresses, tokens
from compliance.models import AuditLeaf, ConsentRecord, ConsentState, Notice, PropagationTask, Subject
from compliance.selectors.people import whole_person
from compliance.services import consent, downstream, preferences, subject_merging, subjects, unsubscribe
from tests.compliance.test_consent import reason
from tests.factories.compliance import NoticeFactory, SubjectFactory

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
DIGEST = addresses.digest("email", "old@example.com")
Decide = Callable[..., ConsentRecord]


@pytest.fixture
def notice() -> Notice:
    return NoticeFactory()


@pytest.fixture
def people() -> tuple[Subject, Subject]:
    return SubjectFactory(), SubjectFactory()


@pytest.fixture
def decide(notice: Notice, now: datetime) -> Decide:
    def record(subject: Subject, action: str, days_ago: float = 10, **changes: Any) -> ConsentRecord:
        decision = consent.Decision(
            subject_id=subject.pk, purpose_id=notice.purpose_id, channel="email", action=action, method="form",
            notice_id=notice.pk, source="form", occurred_at=now - days_ago * DAY, evidence={"form": 7},
        )  # fmt: skip
        given = replace(decision, **changes)
        return consent.record(decision=given, actor="test", now=max(given.occurred_at, now - 5 * DAY))

    return record


def merge(people: tuple[Subject, Subject], now: datetime) -> int:
    survivor, absorbed = people
    return subject_merging.merge(
        survivor_id=survivor.pk, absorbed_id=absorbed.pk, reference="merge-1", actor="user:ann", now=now
    )


def undo(people: tuple[Subject, Subject], now: datetime, merged_at: datetime, others: tuple[int, ...] = ()) -> int:
    survivor, absorbed = people
    return subject_merging.undo(
        survivor_id=survivor.pk, absorbed_id=absorbed.pk, others=others, merged_at=merged_at, reference="merge-1",
        actor="user:bob", now=now,
    )  # fmt: skip


def state(subject: Subject) -> str:
    found = ConsentState.objects.filter(subject=subject).first()
    return found.action if found else ""


@pytest.mark.parametrize(
    ("own", "theirs", "result", "carried"),
    [
        ("", "", "", 0),
        ("given", "", "given", 0),
        ("", "given", "given", 1),
        ("", "withdrawn", "withdrawn", 1),
        ("given", "withdrawn", "withdrawn", 1),
        ("withdrawn", "given", "withdrawn", 0),
        ("given", "given", "given", 0),
        ("given", "expired", "expired", 1),
        ("expired", "given", "expired", 0),
        ("", "expired", "", 0),
        ("expired", "withdrawn", "withdrawn", 1),
    ],
)
def test_the_most_restrictive_counts(
    people: tuple[Subject, Subject], decide: Decide, now: datetime, own: str, theirs: str, result: str, carried: int
) -> None:
    for subject, action in zip(people, (own, theirs), strict=True):
        if action == "expired":
            decide(subject, "given", expires_at=now - 6 * DAY)
            consent.expire_due(now=now - 5 * DAY, actor="system")
        elif action:
            decide(subject, action, 20 if action == "withdrawn" else 10)
    assert merge(people, now) == carried
    assert state(people[0]) == result
    assert state(people[1]) == theirs


def test_the_carried_record_names_the_original(
    people: tuple[Subject, Subject], decide: Decide, notice: Notice, now: datetime
) -> None:
    own, original = decide(people[0], "given"), decide(people[1], "withdrawn")
    merge(people, now)
    carried = ConsentRecord.objects.get(subject=people[0], action="withdrawn")
    assert carried.evidence == {
        "carried_from": {"record": str(original.uid), "subject": str(people[1].uid), "replaces": str(own.uid)},
        "merge": "merge-1",
    }
    assert (carried.method, carried.recorded_by, carried.notice) == ("merge", "user:ann", notice)
    assert AuditLeaf.objects.filter(object_id=str(carried.uid)).exists()


def test_a_consent_that_ends_earlier_ends_the_survivors(
    people: tuple[Subject, Subject], decide: Decide, now: datetime
) -> None:
    decide(people[0], "given")
    decide(people[1], "given", 12, expires_at=now + DAY)
    assert merge(people, now) == 1
    assert ConsentState.objects.get(subject=people[0]).expires_at == now + DAY
    consent.expire_due(now=now + 2 * DAY, actor="system")
    assert state(people[0]) == "expired"


def test_no_consent_from_before_the_merge_outlasts_a_withdrawal_that_was_carried_over(
    people: tuple[Subject, Subject], decide: Decide, now: datetime
) -> None:
    decide(people[0], "given", 3)
    decide(people[1], "withdrawn", 20)
    merge(people, now)
    decide(people[0], "given", 1)
    assert state(people[0]) == "withdrawn"


def test_the_gate_lets_nobody_write_to_who_was_merged(
    people: tuple[Subject, Subject], decide: Decide, notice: Notice, now: datetime
) -> None:
    decide(people[0], "given")
    decide(people[1], "given")
    merge(people, now)
    assert reason(people[1], notice.purpose_id, now) == "merged"
    assert reason(people[0], notice.purpose_id, now) == ""


def test_an_old_unsubscribe_link_stops_the_survivor(
    people: tuple[Subject, Subject], decide: Decide, notice: Notice, now: datetime
) -> None:
    decide(people[0], "given")
    decide(people[1], "given")
    merge(people, now)
    token = tokens.issue(tokens.Claim(people[1].pk, notice.purpose_id, "email", DIGEST, reference=42))
    assert Client().post(f"/u/{token}", {"List-Unsubscribe": "One-Click"}).status_code == 200
    assert state(people[0]) == state(people[1]) == "withdrawn"
    carried = ConsentState.objects.get(subject=people[0]).record
    assert (carried.method, carried.evidence["delivery"]) == ("one_click", 42)
    assert carried.evidence["carried_from"]["subject"] == str(people[1].uid)


def test_the_preference_centre_of_an_old_link_is_the_survivors(
    people: tuple[Subject, Subject], decide: Decide, notice: Notice, now: datetime
) -> None:
    decide(people[0], "withdrawn")
    merge(people, now)
    claim = tokens.Claim(people[1].pk, notice.purpose_id, "email", DIGEST, reference=42)
    wanted = {(notice.purpose_id, "email"): notice.pk}
    later = now + DAY
    assert preferences.save(claim=claim, wanted=wanted, language="en", now=later).given == 1
    assert state(people[0]) == "given"  # the person said so themselves
    assert preferences.save(claim=claim, wanted={}, language="en", now=later + DAY).withdrawn == 1
    assert state(people[0]) == "withdrawn"


def test_unsubscribing_again_through_an_old_link_is_recorded_once(
    people: tuple[Subject, Subject], decide: Decide, notice: Notice, now: datetime
) -> None:
    decide(people[0], "given")
    merge(people, now)
    token = tokens.issue(tokens.Claim(people[1].pk, notice.purpose_id, "email", DIGEST, reference=42))
    for seconds in range(2):
        unsubscribe.by_token(token=token, method="one_click", now=now + timedelta(seconds=seconds + 1))
    assert ConsentRecord.objects.filter(action="withdrawn").count() == 2  # one for each of the two subjects


def test_downstream_systems_learn_of_what_was_carried_over(
    people: tuple[Subject, Subject], decide: Decide, now: datetime
) -> None:
    decide(people[0], "given")
    decide(people[1], "withdrawn")
    downstream.create(
        key="crm", name="CRM", url="https://crm.example.com/hook", client=None, wants_consents=False, actor="test",
        now=now,
    )  # fmt: skip
    merge(people, now)
    assert PropagationTask.objects.get().record.subject == people[0]


def test_undone_a_carried_consent_ends_and_the_other_keeps_theirs(
    people: tuple[Subject, Subject], decide: Decide, notice: Notice, now: datetime
) -> None:
    decide(people[1], "given")
    merge(people, now)
    assert undo(people, now + DAY, now) == 1
    assert reason(people[0], notice.purpose_id, now + DAY) == "consent_expired"
    assert reason(people[1], notice.purpose_id, now + DAY) == ""


@pytest.mark.parametrize("theirs", ["expired", "shorter"])
def test_undone_the_survivors_own_consent_counts_again(
    people: tuple[Subject, Subject], decide: Decide, notice: Notice, now: datetime, theirs: str
) -> None:
    decide(people[0], "given")
    decide(people[1], "given", expires_at=now - 6 * DAY if theirs == "expired" else now + DAY)
    consent.expire_due(now=now - 5 * DAY, actor="system")
    assert merge(people, now) == 1
    undo(people, now + 2 * DAY, now)
    assert reason(people[0], notice.purpose_id, now + 2 * DAY) == ""
    assert ConsentState.objects.get(subject=people[0]).expires_at is None
    assert ConsentState.objects.get(subject=people[0]).record.evidence["undone_merge"] == "merge-1"


def test_undone_a_withdrawal_that_was_carried_over_stays(
    people: tuple[Subject, Subject], decide: Decide, now: datetime
) -> None:
    decide(people[0], "given")
    decide(people[1], "withdrawn")
    merge(people, now)
    undo(people, now + DAY, now)
    assert state(people[0]) == state(people[1]) == "withdrawn"


def test_a_withdrawal_made_while_they_were_merged_counts_for_both_afterwards(
    people: tuple[Subject, Subject], decide: Decide, notice: Notice, now: datetime
) -> None:
    decide(people[0], "given")
    decide(people[1], "given")
    merge(people, now)
    consent.withdraw(
        subject_id=people[0].pk, purpose_id=notice.purpose_id, channel="email", method="staff", source="telephone",
        actor="test", now=now + DAY,
    )  # fmt: skip
    undo(people, now + 2 * DAY, now)
    assert state(people[0]) == state(people[1]) == "withdrawn"


def test_who_was_merged_before_goes_along_and_comes_back(people: tuple[Subject, Subject], now: datetime) -> None:
    third = SubjectFactory()
    merge((people[1], third), now)
    merge(people, now)
    assert whole_person(third.pk) == [people[0].pk, people[1].pk, third.pk]
    assert subjects.lock([third.pk, people[1].pk, 0]) == {third.pk: people[0].pk, people[1].pk: people[0].pk}
    undo(people, now, now, others=(third.pk,))
    assert whole_person(third.pk) == [people[1].pk, third.pk]
    assert whole_person(0) == []


def test_decisions_of_many_come_back_for_those_they_were_made_for(
    people: tuple[Subject, Subject], decide: Decide, notice: Notice, now: datetime
) -> None:
    merge(people, now)
    decisions = [
        consent.Decision(subject.pk, notice.purpose_id, "sms", "given", "form", notice.pk, "form", now)
        for subject in (people[1], SubjectFactory())
    ]
    records = consent.record_many(decisions=decisions, actor="test", now=now)
    assert [record.subject_id for record in records] == [decision.subject_id for decision in decisions]
    assert ConsentState.objects.filter(subject=people[0], channel="sms", action="given").exists()


def test_nobody_is_merged_into_themselves(people: tuple[Subject, Subject]) -> None:
    with pytest.raises(IntegrityError, match="subject_not_merged_into_itself"):
        Subject.objects.filter(pk=people[0].pk).update(merged_into=people[0])
