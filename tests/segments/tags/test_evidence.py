"""Why a person carries a tag, in words and figures."""

from datetime import datetime, timedelta

import pytest

from segments.models import Profile, ProfileTag
from segments.selectors.tag_evidence import Evidence, evidence
from segments.services import tags
from segments.services.tags import assignment
from segments.services.tags.assignment import Given
from tests.segments.tags.stage import ACTOR, compute, define, do, follow, person

pytestmark = pytest.mark.django_db


def why(profile: Profile, key: str, now: datetime) -> Evidence:
    row = ProfileTag.objects.select_related("tag__parent").get(profile=profile, tag__key=key)
    return evidence(row, now)


def figures(found: Evidence) -> dict[str, str]:
    return {figure.label: figure.value for figure in found.figures}


def test_a_rule_is_said_with_the_answer_to_each_condition(now: datetime) -> None:
    rule = {"any": [{"attribute": "city", "op": "eq", "value": "Shanghai"}, {"rfm": "recency", "op": "eq", "value": 5}]}
    local = person(city="Shanghai")
    compute(define("local", "rule", now, rule=rule, rhythm="daily"), now)
    found = why(local, "local", now)
    assert found.sentence.startswith("By rule: City is")
    assert list(figures(found).values()) == ["yes", "no"]


def test_ready_made_tags_say_why(now: datetime) -> None:
    tags.ensure_ready_made(actor=ACTOR, now=now)
    buyer = person()
    for hours in (1, 2):
        do(buyer, "purchase", now - timedelta(hours=hours), category="tea", amount="5", now=now)
    do(buyer, "view", now, category="tea", now=now)
    follow(now)
    tags.compute_due(now=now, actor=ACTOR)
    assert why(buyer, "lifecycle-new", now).sentence.startswith("By rule: First order is not before 30 days ago")
    recent = why(buyer, "orders-30-days", now)
    assert recent.sentence.endswith("over “purchase” events in the last 30 days: 2.")
    favourite = why(buyer, "favourite-tea", now)
    assert "in category “tea”: 2" in favourite.sentence
    assert figures(favourite)["of all categories"] == "2"
    interest = why(buyer, "interest-tea", now)
    assert interest.sentence == "Showed interest in “tea”; the weight halves every 14 days."
    assert figures(interest)["“purchase”, each adds 5"].startswith("2, the last on")


def test_what_came_from_outside_names_its_source(now: datetime) -> None:
    someone = person()
    assignment.assign(tag=define("vip", "manual", now), given=Given(someone.pk), actor="user:anna", now=now)
    churn = define("churn", "model", now)
    given = Given(someone.pk, weight=0.8, evidence={"days since the last visit": 40})
    assignment.assign_many(tag=churn, people=[given], source="model:churn-3", actor=ACTOR, now=now)
    assert why(someone, "vip", now).sentence == "Given by user:anna."
    found = why(someone, "churn", now)
    assert found.sentence == "Found by a model: model:churn-3."
    assert figures(found) == {"days since the last visit": "40"}
