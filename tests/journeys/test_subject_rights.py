"""Access and erasure through all apps: nothing is forgotten, the proof stays."""

import csv
import io
import json
import zipfile
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.apps import apps
from django.test import Client

from campaigns.models import Delivery
from campaigns.services import runs
from compliance.models import ConsentRecord, Subject, SubjectRequest, Suppression
from compliance.selectors import audit as audit_selectors
from compliance.services import audit, subject_requests, subjects, suppression
from config.roles import apply_roles
from segments.event_input import EventInput
from segments.models import Event, Identity, Profile, ProfileTag
from segments.profile_input import ProfileInput
from segments.services import events, profiles, segments, sources
from tests.factories.api import api
from tests.factories.campaigns import DUE, give_consent, make_approved_campaign
from tests.factories.segments import SegmentFactory, TagFactory
from tests.project.test_roles import client_of

pytestmark = pytest.mark.django_db
WHO: dict[str, Any] = {"actor": "user:anna"}
MAIL = "ada@example.com"


@pytest.fixture
def ada(now: datetime) -> Profile:
    """A person with a trace in every app."""
    shop = sources.get_or_create("shop")
    given = ProfileInput(external_id="C-1", email=MAIL, name="Ada Li", city="Wuhan", attributes={"size": "M"})
    pk = profiles.upsert_many(source=shop, inputs=[given], actor="test", now=now)[0].profile_id
    assert pk
    event = EventInput(
        event_id="1", name="purchase", occurred_at=now - timedelta(days=1), identifier="email", value=MAIL,
        amount=Decimal("12.50"), currency="CNY", category="tea", properties={"sku": "T-7"},
    )  # fmt: skip
    events.ingest(source=shop, events=[event], actor="test", now=now)
    ProfileTag.objects.create(profile_id=pk, tag=TagFactory(), source="staff", assigned_at=now)
    segments.refresh(segment=SegmentFactory(), now=now, actor="test")
    give_consent(pk)
    make_approved_campaign()
    for run in runs.launch_due(now=DUE, actor="system"):
        runs.plan(run=run, now=DUE, actor="system")
    return Profile.objects.get(pk=pk)


def request_of(person: Profile, kind: str, now: datetime) -> SubjectRequest:
    made = subject_requests.receive(subject=person.subject, kind=kind, source="letter", now=now, **WHO)
    return subject_requests.confirm_identity(request=made, how="called back", now=now, **WHO)


def test_the_package_holds_everything_readable(ada: Profile, now: datetime) -> None:
    data = subject_requests.package(request=request_of(ada, "access", now), now=now, **WHO)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = archive.namelist()
        held = {name.removesuffix(".json"): json.loads(archive.read(name)) for name in names if name.endswith(".json")}
        table = list(csv.DictReader(io.StringIO(archive.read("events.csv").decode())))
    assert sorted(names) == sorted([f"{name}.{form}" for name in held for form in ("json", "csv")])
    assert {name for name in held if held[name]} >= {
        "consents", "requests", "profile", "identifiers", "tags", "segments", "events", "messages",
    }  # fmt: skip
    assert (held["profile"][0]["name"], held["profile"][0]["attributes"]) == ("Ada Li", {"size": "M"})
    assert {row["value"] for row in held["identifiers"]} == {"C-1", MAIL}
    assert table[0]["category"] == "tea"
    assert held["consents"][0]["decision"] == "given"
    assert held["messages"][0]["state"] == "Planned"


def test_the_same_data_are_the_same_bytes(ada: Profile, now: datetime) -> None:
    request = request_of(ada, "access", now)
    first, second = (subject_requests.package(request=request, now=now, **WHO) for _ in range(2))
    assert first == second


def test_erasure_leaves_proof_and_nothing_else(ada: Profile, now: datetime) -> None:
    uid = ada.subject.uid
    stored = bytes(Identity.objects.get(profile=ada, kind="email").value_encrypted)
    digest = bytes(Identity.objects.get(profile=ada, kind="email").digest)
    suppression.add(
        digest=digest, channel="email", purpose_id=None, reason="complaint", source="x", actor="test", now=now
    )  # fmt: skip
    audit.seal(now=now)
    erased = subject_requests.erase(request=request_of(ada, "erasure", now), now=now, **WHO)
    assert erased["events"] == 1
    subject = Subject.objects.get(uid=uid)
    assert (subject.erased_at, subject.wrapped_key, subjects.data_keys([subject.pk])) == (now, None, {})
    assert stored  # a copy in a backup, that no key opens any more
    assert not Profile.objects.filter(pk=subject.pk).exists()
    assert not Event.objects.filter(profile=subject.pk).exists()
    assert ConsentRecord.objects.filter(subject=subject).exists()
    assert Suppression.objects.filter(digest=digest, lifted_at__isnull=True).exists()
    assert Delivery.objects.get(profile=subject.pk).address_digest is None
    audit.seal(now=now)
    assert audit_selectors.verify().ok


def test_no_table_about_people_keeps_a_row_but_the_ledgers(ada: Profile, now: datetime) -> None:
    """A new model that refers to a person fails here until erasure knows it, or it is named as proof."""
    kept = {"compliance.ConsentRecord", "compliance.ConsentState", "compliance.SubjectRequest", "campaigns.Delivery"}
    subject_requests.erase(request=request_of(ada, "erasure", now), now=now, **WHO)
    for label in ("compliance", "segments", "campaigns"):
        for model in apps.get_app_config(label).get_models():
            people = [
                field.name for field in model._meta.get_fields()
                if field.concrete and field.is_relation and field.related_model in (Profile, Subject)
            ]  # fmt: skip
            for name in people:
                if model._meta.label not in kept:
                    assert not model._default_manager.filter(**{name: ada.pk}).exists(), (model._meta.label, name)


def test_deliveries_of_an_erased_person_can_still_be_read(ada: Profile, now: datetime) -> None:
    uid = str(ada.subject.uid)
    subject_requests.erase(request=request_of(ada, "erasure", now), now=now, **WHO)
    listed = api("deliveries:read").get(f"/api/v1/deliveries/?profile={uid}").json()["results"]
    assert [row["profile"] for row in listed] == [uid]
    apply_roles()
    officer: Client = client_of("Compliance officer")
    for path in ("campaigns/delivery/", f"campaigns/delivery/?q={uid}", "campaigns/delivery/?q=nobody"):
        assert officer.get(f"/admin/{path}").status_code == 200
    delivery = Delivery.objects.get(profile=ada.pk)
    assert officer.get(f"/admin/campaigns/delivery/{delivery.pk}/change/").status_code == 200


def test_the_same_address_later_is_somebody_new_without_consent(ada: Profile, now: datetime) -> None:
    subject_requests.erase(request=request_of(ada, "erasure", now), now=now, **WHO)
    given = ProfileInput(email=MAIL, name="Ada Li")
    results = profiles.upsert_many(source=sources.get_or_create("shop"), inputs=[given], actor="test", now=now)
    assert results[0].created
    assert results[0].profile_id != ada.pk
    assert not ConsentRecord.objects.filter(subject=results[0].profile_id).exists()
