"""The quality of a source's data is counted with the data, and shown by source and day."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from compliance.models import AuditLeaf
from segments.models import QualityDay, QualityStandard
from segments.profile_input import ProfileInput
from segments.quality_score import Score, score
from segments.services import events, imports, profile_intake, quality
from segments.services.quality import Counts
from tests.factories.api import api, post
from tests.factories.segments import CleaningRuleFactory, SourceFactory, make_profile
from tests.segments.files import write
from tests.segments.test_cleaning import view

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 16, 30, tzinfo=UTC)  # past midnight in Shanghai, the installation's zone


def counted() -> Counts:
    day = QualityDay.objects.get()
    return Counts(**{name: getattr(day, name) for name in quality.COLUMNS})


@pytest.fixture
def standard(db: None) -> QualityStandard:
    return QualityStandard.objects.create(
        source=SourceFactory(), event_fields=["category", "properties.color"], profile_fields=["city"],
        lateness_hours=2,
    )  # fmt: skip


EVENTS = [
    view("1", occurred_at=NOW, category="tea", properties={"color": "red"}),
    view("2", occurred_at=NOW - timedelta(hours=2), category="tea"),
    view("3", occurred_at=NOW - timedelta(hours=3), category="", properties={"color": "red"}),
    view("1", occurred_at=NOW, category="tea", properties={"color": "red"}),
    view("4", occurred_at=NOW, category="tea", value="C9"),
    view("5", occurred_at=NOW, category="robots", properties={"color": "red"}),
]
FOUND = Counts(
    received=6, valid=5, unique=4, asked_complete=5, complete=3, asked_timely=5, timely=4, held=1
)  # fmt: skip


@pytest.fixture
def _holds_robots(standard: QualityStandard) -> None:
    make_profile(1)
    CleaningRuleFactory(action="hold", parameters={"op": "eq", "value": "robots", "reason": "robot"})


@pytest.mark.usefixtures("_holds_robots")
def test_events_are_counted_by_what_became_of_them() -> None:
    events.ingest(source=SourceFactory(), events=EVENTS, actor="test", now=NOW, refused=2)
    assert counted() == replace(FOUND, received=8)
    assert QualityDay.objects.get().day == date(2026, 3, 2)


@pytest.mark.usefixtures("_holds_robots")
def test_rows_of_a_file_are_counted_in_the_same_way(tmp_path: Path) -> None:
    rows = "".join(
        f"{event.event_id},{event.value},{event.occurred_at.isoformat()},{event.category},"
        f"{event.properties.get('color', '')}\n"
        for event in EVENTS
    )
    path = write(tmp_path / "views.csv", "event_id,external_id,occurred_at,category,color\n" + rows)
    imports.import_events(
        path=path, source_key="shop", mapping={"properties.color": "color"}, name="browse", currency="CNY",
        timezone="UTC", actor="test", now=NOW,
    )  # fmt: skip
    assert counted() == FOUND


def test_a_field_without_a_column_is_complete_in_no_row(tmp_path: Path, standard: QualityStandard) -> None:
    make_profile(1)
    path = write(tmp_path / "views.csv", "external_id,occurred_at,category\nC1,2026-03-01,tea\n")
    imports.import_events(
        path=path, source_key="shop", mapping={}, name="browse", currency="CNY", timezone="UTC", actor="test", now=NOW
    )
    assert (counted().asked_complete, counted().complete) == (1, 0)


def test_without_a_standard_completeness_is_not_asked_and_a_day_is_timely() -> None:
    make_profile(1)
    late = view("2", occurred_at=NOW - timedelta(hours=25))
    events.ingest(source=SourceFactory(), events=[view("1", occurred_at=NOW), late], actor="test", now=NOW)
    assert counted() == Counts(received=2, valid=2, unique=2, asked_timely=2, timely=1)


def test_timeliness_need_not_be_asked(standard: QualityStandard) -> None:
    QualityStandard.objects.update(lateness_hours=None)
    make_profile(1)
    events.ingest(source=SourceFactory(), events=[view("1", occurred_at=NOW)], actor="test", now=NOW)
    assert counted().asked_timely == 0


def test_profiles_count_too(tmp_path: Path, standard: QualityStandard) -> None:
    given = [
        ProfileInput(external_id="1", city="Wuhan"),
        ProfileInput(external_id="2"),
        ProfileInput(email="nobody"),
    ]
    profile_intake.take(source=SourceFactory(), inputs=given, actor="test", now=NOW)
    assert counted() == Counts(received=3, valid=2, unique=2, asked_complete=2, complete=1)
    path = write(tmp_path / "people.csv", "external_id,city\n3,Wuhan\n4\n")
    imports.import_profiles(path=path, source_key="shop", mapping={}, actor="test", now=NOW)
    assert counted() == Counts(received=5, valid=3, unique=3, asked_complete=3, complete=2)


def test_events_that_the_api_form_refuses_count_as_received() -> None:
    make_profile(1)
    post(api("events:write"), "events/", {"source": "shop", "events": ["text", {"event_id": "1"}]})
    assert counted() == Counts(received=2, valid=0, unique=0)


def test_counts_are_undone_with_what_they_count() -> None:
    make_profile(1)
    with transaction.atomic():
        events.ingest(source=SourceFactory(), events=[view("1", occurred_at=NOW)], actor="test", now=NOW)
        assert QualityDay.objects.exists()
        transaction.set_rollback(True)
    assert not QualityDay.objects.exists()


def test_the_score_is_the_mean_of_the_parts_that_were_asked() -> None:
    day = QualityDay(
        received=100, valid=90, unique=81, asked_complete=90, complete=45, asked_timely=0, timely=0
    )  # fmt: skip
    assert score(day) == Score(validity=0.9, completeness=0.5, uniqueness=0.9, timeliness=None)
    assert score(day).total == pytest.approx((0.9 + 0.5 + 0.9) / 3)
    assert score(QualityDay()).total is None


@pytest.fixture
def admin(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("admin"))
    return client


def add_day(source: str, day: int, valid: int) -> None:
    QualityDay.objects.create(
        source=SourceFactory(key=source), day=date(2026, 3, day), received=100, valid=valid, unique=valid
    )


def chart_of(client: Client, query: str = "") -> Any:
    answer = client.get(reverse("admin:segments_qualityday_changelist") + query)
    assert answer.status_code == 200
    return json.loads(answer.context["quality_chart"])


def test_the_page_has_a_line_per_source(admin: Client) -> None:
    add_day("app", 1, 50)
    add_day("shop", 1, 90)
    add_day("shop", 2, 100)
    chart = chart_of(admin)
    assert chart["labels"] == ["2026-03-01", "2026-03-02"]
    assert [(line["label"], line["data"]) for line in chart["datasets"]] == [
        ("app", [75.0, None]), ("shop", [95.0, 100.0]), ("Goal", [98.0, 98.0]),
    ]  # fmt: skip


def test_the_page_of_one_source_has_a_line_per_part(admin: Client) -> None:
    add_day("app", 1, 50)
    chart = chart_of(admin, f"?source__id__exact={SourceFactory(key='app').pk}")
    assert {line["label"]: line["data"] for line in chart["datasets"]} == {
        "Score": [75.0], "Valid": [50.0], "Complete": [None], "Unique": [100.0], "Timely": [None], "Goal": [98.0],
    }  # fmt: skip


def test_the_page_opens_without_data(admin: Client) -> None:
    assert admin.get(reverse("admin:segments_qualityday_changelist")).status_code == 200


def test_a_standard_is_set_in_the_admin_and_logged(admin: Client) -> None:
    url, source = reverse("admin:segments_qualitystandard_add"), SourceFactory()
    wrong = admin.post(url, {"source": source.pk, "event_fields": "colour", "lateness_hours": 2})
    assert "“colour” is none of" in wrong.content.decode()
    admin.post(url, {"source": source.pk, "event_fields": "category,properties.sku", "lateness_hours": 2})
    assert QualityStandard.objects.get().event_fields == ["category", "properties.sku"]
    assert AuditLeaf.objects.get(action="quality_standard.changed").actor == "user:admin"


@pytest.mark.parametrize(
    ("counts", "constraint"),
    [
        ({"received": 1, "valid": 2}, "quality_day_valid_were_received"),
        ({"received": 1, "valid": 1, "unique": 2}, "quality_day_parts_were_valid"),
        ({"received": 1, "valid": 1, "held": 2}, "quality_day_parts_were_valid"),
        ({"received": 1, "valid": 1, "asked_complete": 2}, "quality_day_parts_were_valid"),
        ({"received": 1, "valid": 1, "complete": 1}, "quality_day_parts_were_valid"),
        ({"received": 1, "valid": 1, "timely": 1}, "quality_day_parts_were_valid"),
    ],
)
def test_counts_fit_together(counts: dict[str, int], constraint: str) -> None:
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        QualityDay.objects.create(source=SourceFactory(), day=date(2026, 3, 1), **counts)


def test_a_source_has_one_row_a_day() -> None:
    add_day("shop", 1, 100)
    with pytest.raises(IntegrityError, match="quality_day_once"), transaction.atomic():
        add_day("shop", 1, 100)


def test_lateness_is_hours() -> None:
    with pytest.raises(IntegrityError, match="quality_standard_lateness_is_hours"), transaction.atomic():
        QualityStandard.objects.create(source=SourceFactory(), lateness_hours=0)
