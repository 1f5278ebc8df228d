"""What the admin's pages of segments say beside the definition."""

import csv
import io
from datetime import date, datetime
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from config import roles
from segments.models import Segment, SegmentSize
from segments.selectors import segment_twins
from tests.factories.campaigns import UserFactory
from tests.segments.insight.test_overlap import segment_of
from tests.segments.insight.test_warnings import BEIJING, SHANGHAI
from tests.segments.rules.world import Person, store

pytestmark = pytest.mark.django_db
OVERLAP = "/admin/segments/segment/overlap/"


@pytest.fixture
def pair(db: None) -> tuple[Segment, Segment]:
    cache.delete(segment_twins.CACHE_KEY)
    people, now = store([Person(city="Shanghai")] * 100), timezone.now()
    first = segment_of(people[:40], "first", now, name="=First", definition=SHANGHAI)
    return first, segment_of(people[30:40], "second", now, definition=BEIJING)


@pytest.fixture
def client(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("boss", "boss@example.com", "x"))
    return client


def test_the_matrix_stands_on_a_page(client: Client, pair: tuple[Segment, Segment]) -> None:
    page = client.get(OVERLAP, {"key": ["first", "second"]})
    assert [[item["percent"] for item in cells] for _row, _size, cells in page.context["rows"]] == [
        [100, 25],
        [100, 100],
    ]
    text = page.content.decode()
    assert "10 people are both in “=First” and in “Second”: 25.0 % of “=First”; Jaccard 0.25" in text
    assert text.count('scope="col"') == text.count('scope="row"') == 2


def test_without_a_choice_the_largest_are_compared(client: Client, pair: tuple[Segment, Segment]) -> None:
    assert list(client.get(OVERLAP).context["chosen"]) == list(pair)
    Segment.objects.all().delete()
    assert "no segment to compare" in client.get(OVERLAP).content.decode()


def test_unknown_keys_are_passed_over_and_too_many_cut(client: Client, pair: tuple[Segment, Segment]) -> None:
    more = [segment_of([], f"more-{number:02}", timezone.now()) for number in range(21)]
    assert list(client.get(OVERLAP, {"key": ["lost", "\0", "first"]}).context["chosen"]) == [pair[0]]
    page = client.get(OVERLAP, {"key": [segment.key for segment in more]})
    assert len(page.context["chosen"]) == 20
    assert "Only the first 20 segments" in page.content.decode()


def test_the_matrix_as_csv(client: Client, pair: tuple[Segment, Segment]) -> None:
    answer = client.get(OVERLAP, {"key": ["first", "second"], "format": "csv"})
    assert answer["Content-Type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode())))
    assert len(rows) == 4
    assert rows[1] == {
        "segment": "first", "members": "40", "other_segment": "second", "other_members": "10", "shared_people": "10",
        "share_of_segment": "0.25", "jaccard": "0.25",
    }  # fmt: skip


def test_selected_segments_are_compared(client: Client, pair: tuple[Segment, Segment]) -> None:
    chosen = {"action": "compare", "_selected_action": [segment.pk for segment in pair]}
    answer = client.post(reverse("admin:segments_segment_changelist"), chosen)
    assert answer.headers["Location"] == f"{OVERLAP}?key=first&key=second"
    more = [segment_of([], f"more-{number}", timezone.now()).pk for number in range(21)]
    answer = client.post(
        reverse("admin:segments_segment_changelist"), {"action": "compare", "_selected_action": more}, follow=True
    )
    assert "at most 20" in answer.content.decode()


def test_the_list_shows_warnings_and_filters_by_them(client: Client, pair: tuple[Segment, Segment]) -> None:
    url = reverse("admin:segments_segment_changelist")
    listed = client.get(url).context["cl"].result_list
    found = {segment.key: [warning.code for warning in segment.found_warnings] for segment in listed}
    assert found == {"first": [], "second": ["too_small"]}
    assert "Only 10 people" in client.get(url).content.decode()
    assert [each.key for each in client.get(url, {"warning": "too_small"}).context["cl"].result_list] == ["second"]
    assert list(client.get(url, {"warning": "unused"}).context["cl"].result_list) == []


def test_the_page_of_a_segment_warns_and_draws_its_size(client: Client, pair: tuple[Segment, Segment]) -> None:
    url = reverse("admin:segments_segment_change", args=[pair[1].pk])
    assert "Members day by day" not in client.get(url).content.decode()
    SegmentSize.objects.create(segment=pair[1], day=date(2026, 3, 1), members=10, entered=11, left=1)
    page = client.get(url).content.decode()
    assert 'data-warning="too_small"' in page
    assert "Members day by day" in page
    assert "2026-03-01" in page
    assert "data-warning" not in client.get(reverse("admin:segments_segment_add")).content.decode()


def test_the_builder_gets_the_warnings(client: Client, pair: tuple[Segment, Segment]) -> None:
    answer = client.post(reverse("admin:segments_segment_preview"), {"definition": '{"any": []}', "form": "f"})
    assert answer.json()["warnings"] == ["Nobody is in it."]


@pytest.mark.parametrize("role", roles.ROLES)
def test_every_role_that_sees_segments_may_compare_them(role: str, pair: tuple[Segment, Segment]) -> None:
    roles.apply_roles()
    user: Any = UserFactory(username="someone")
    client = Client()
    client.force_login(user)
    assert client.get(OVERLAP).status_code == 403
    user.groups.add(Group.objects.get(name=role))
    assert client.get(OVERLAP).status_code == 200
    assert client.post(OVERLAP).status_code == 405


def test_visitors_are_sent_to_the_login(now: datetime, db: None) -> None:
    assert Client().get(OVERLAP).status_code == 302
