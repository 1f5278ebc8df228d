"""Which of several decisions counts, when clocks differ and records arrive late."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compliance.channels import Channel
from compliance.models import ConsentAction, ConsentMethod, ConsentRecord, ConsentState
from compliance.services import consent
from tests.factories.compliance import NoticeFactory, SubjectFactory

pytestmark = pytest.mark.django_db
Make = Callable[..., consent.Decision]
MINUTE = timedelta(minutes=1)


@pytest.fixture
def make(now: datetime) -> Make:
    notice = NoticeFactory()
    decision = consent.Decision(
        subject_id=SubjectFactory().pk, purpose_id=notice.purpose_id, channel=Channel.EMAIL,
        action=ConsentAction.GIVEN, method=ConsentMethod.FORM, notice_id=notice.pk, source="sign-up form",
        occurred_at=now,
    )  # fmt: skip

    def build(**changes: Any) -> consent.Decision:
        return replace(decision, **changes)

    return build


def withdraw(decision: consent.Decision, now: datetime) -> None:
    consent.withdraw(
        subject_id=decision.subject_id, purpose_id=decision.purpose_id, channel=decision.channel,
        method=ConsentMethod.STAFF, source="call", actor="test", now=now,
    )  # fmt: skip


def test_a_withdrawal_counts_at_once_though_the_consent_came_from_a_clock_that_runs_ahead(
    make: Make, now: datetime
) -> None:
    ahead = now + 4 * MINUTE
    consent.record(decision=make(occurred_at=ahead), actor="test", now=now)
    withdraw(make(), now + MINUTE)
    assert ConsentState.objects.get().action == ConsentAction.WITHDRAWN
    assert ConsentRecord.objects.earliest("id").occurred_at == ahead  # the ledger keeps what was said


def test_a_renewal_that_arrives_after_the_expiry_it_forestalled_counts(make: Make, now: datetime) -> None:
    end = now + timedelta(days=1)
    consent.record(decision=make(expires_at=end), actor="test", now=now)
    assert consent.expire_due(now=end, actor="system") == 1
    consent.record(decision=make(occurred_at=end - MINUTE), actor="test", now=end + MINUTE)
    assert ConsentState.objects.get().action == ConsentAction.GIVEN


def test_a_consent_older_than_the_expired_one_does_not_revive_it(make: Make, now: datetime) -> None:
    end = now + timedelta(days=1)
    consent.record(decision=make(expires_at=end), actor="test", now=now)
    consent.expire_due(now=end, actor="system")
    consent.record(decision=make(occurred_at=now - MINUTE), actor="test", now=end + MINUTE)
    assert ConsentState.objects.get().action == ConsentAction.EXPIRED


def test_the_record_of_an_expiry_tells_when_and_of_what(make: Make, now: datetime) -> None:
    end = now + timedelta(days=1)
    given = consent.record(decision=make(expires_at=end), actor="test", now=now)
    consent.expire_due(now=end + MINUTE, actor="system")
    expired = ConsentRecord.objects.latest("id")
    assert (expired.action, expired.occurred_at, expired.evidence) == ("expired", end, {"consent": str(given.uid)})
    state = ConsentState.objects.get()
    assert (state.record_id, state.occurred_at) == (expired.pk, now)  # the person's last decision stays theirs


def test_no_more_expire_at_once_than_allowed(make: Make, now: datetime) -> None:
    for _ in range(3):
        decision = make(subject_id=SubjectFactory().pk, expires_at=now + MINUTE)
        consent.record(decision=decision, actor="test", now=now)
    later = now + MINUTE
    assert [consent.expire_due(now=later, actor="system", limit=2) for _ in range(3)] == [2, 1, 0]


DECISIONS = st.lists(
    st.tuples(
        st.integers(0, 5),
        st.sampled_from([("withdrawn", "staff"), ("withdrawn", "api"), ("given", "form"), ("given", "api"),
                         ("given", "import")]),
    ),
    min_size=1, max_size=7,
)  # fmt: skip


def what_counts(decided: list[tuple[int, tuple[str, str]]]) -> str:
    """The rule, told plainly: walk through time, at one instant a no last; a yes at second hand does not undo a no."""
    state = own_word = ""
    for _, (action, method) in sorted(decided, key=lambda one: (one[0], one[1][0] == "withdrawn")):
        own = action == "withdrawn" or method == "form"
        if own:
            own_word = action
        if own or own_word != "withdrawn":
            state = action
    return state


@settings(deadline=None, max_examples=150)
@given(decided=DECISIONS, data=st.data())
def test_in_whatever_order_and_batches_records_arrive_the_same_counts(
    decided: list[tuple[int, tuple[str, str]]], data: st.DataObject
) -> None:
    now = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
    notice = NoticeFactory()
    subject = SubjectFactory()
    decisions = [
        consent.Decision(
            subject_id=subject.pk, purpose_id=notice.purpose_id, channel="email", action=action, method=method,
            notice_id=notice.pk if action == "given" else None, source="test", occurred_at=now + day * MINUTE,
        )
        for day, (action, method) in data.draw(st.permutations(decided))
    ]  # fmt: skip
    later = now + timedelta(days=1)
    cut = data.draw(st.integers(0, len(decisions)))
    consent.record_many(decisions=decisions[:cut], actor="test", now=later)
    for decision in decisions[cut:]:
        consent.record_many(decisions=[decision], actor="test", now=later)
    assert ConsentState.objects.get(subject=subject).action == what_counts(decided)


@pytest.mark.parametrize("method", ["api", "import"])
def test_a_yes_that_others_report_does_not_undo_a_no_told_to_staff(make: Make, now: datetime, method: str) -> None:
    """The nightly synchronisation of a partner, after a person withdrew by telephone."""
    consent.record(decision=make(), actor="test", now=now)
    withdraw(make(), now + MINUTE)
    reported = make(method=method, occurred_at=now + 2 * MINUTE)
    consent.record(decision=reported, actor="test", now=now + 3 * MINUTE)
    assert ConsentState.objects.get().action == ConsentAction.WITHDRAWN
    assert ConsentRecord.objects.count() == 3
    consent.record(decision=make(occurred_at=now + 4 * MINUTE), actor="test", now=now + 4 * MINUTE)
    assert ConsentState.objects.get().action == ConsentAction.GIVEN
