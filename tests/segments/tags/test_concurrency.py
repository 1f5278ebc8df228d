"""Computing for everybody and following at once, at the same time."""

import time
from datetime import datetime

import pytest
from django.db import connection

from segments.models import PendingGain
from segments.services import tags
from segments.services.tags import writing
from tests.segments.tags.stage import ACTOR, carried, compute, define, do, follow, person

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_comes_while_an_interest_is_computed_elsewhere_is_added_afterwards(now: datetime) -> None:
    interest = define("interest", "interest", now, half_life_days=10.0, floor=0.1, rhythm="at_once", gains={"view": 1})
    compute(interest, now)
    reader = person()
    follow(now)
    do(reader, "view", now, category="tea", now=now)
    elsewhere = connection.copy()
    with elsewhere.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s, %s)", [writing.LOCK_NAMESPACE, interest.pk])
    follow(now)
    assert carried(reader, now) == {}
    assert PendingGain.objects.count() == 1
    assert tags.compute(unit=interest, now=now, actor=ACTOR) is None
    elsewhere.close()
    deadline = time.monotonic() + 5
    while not carried(reader, now) and time.monotonic() < deadline:  # until the server noticed the end
        follow(now)
    assert carried(reader, now) == {"interest-tea": 1.0}
    assert not PendingGain.objects.exists()
