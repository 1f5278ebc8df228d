"""Rules that ask for messages received."""

from datetime import timedelta
from typing import Any

import pytest

from campaigns.states import DeliveryState
from segments.models import Profile
from segments.rules import RuleError, parse
from tests.factories.campaigns import DUE, CampaignFactory, DeliveryFactory, RunFactory, make_audience

DAY = timedelta(days=1)


@pytest.fixture
def people(db: None) -> list[Profile]:
    """Got the spring mail yesterday; got the summer mail a month ago; a failed one; nothing."""
    found = make_audience(4, consenting=False)
    spring, summer = (CampaignFactory(key=key) for key in ("spring", "summer"))
    for person, campaign, at, state in (
        (found[0], spring, DUE - DAY, DeliveryState.SENT),
        (found[1], summer, DUE - 30 * DAY, DeliveryState.DELIVERED),
        (found[2], spring, DUE - 2 * DAY, DeliveryState.FAILED),
    ):
        run = RunFactory(campaign=campaign, scheduled_at=at)
        DeliveryFactory(run=run, profile=person, state=state, sent_at=None if state == "failed" else at)
    return found


@pytest.mark.parametrize(
    ("definition", "places"),
    [
        ({"delivery": "*", "op": "received"}, [0, 1]),
        ({"delivery": "*", "op": "not_received"}, [2, 3]),
        ({"delivery": "spring", "op": "received"}, [0]),
        ({"delivery": "spring", "op": "not_received"}, [1, 2, 3]),
        ({"delivery": "*", "op": "received", "window": {"days": 7}}, [0]),
        ({"delivery": "autumn", "op": "received"}, []),
        ({"all": [{"delivery": "*", "op": "received"}, {"delivery": "spring", "op": "not_received"}]}, [1]),
    ],
)
def test_who_received_what(people: list[Profile], definition: dict[str, Any], places: list[int]) -> None:
    rule = parse(definition)
    assert sorted(rule.queryset(DUE)) == [people[place].pk for place in places]
    assert parse(rule.to_json()) == rule


def test_the_sentence_of_a_rule() -> None:
    rule = parse({"delivery": "spring", "op": "not_received", "window": {"days": 7}})
    assert rule.describe() == "Did not get a message of the campaign “spring” in the last 7 days"
    assert parse({"delivery": "*", "op": "received"}).describe() == "Got a message"


@pytest.mark.parametrize(
    ("definition", "path"),
    [
        ({"delivery": "", "op": "received"}, "/delivery"),
        ({"delivery": "*", "op": "opened"}, "/op"),
        ({"delivery": "*", "op": "received", "window": {}}, "/window"),
        ({"delivery": "*", "op": "received", "value": 1}, "/value"),
    ],
)
def test_a_mistake_is_named_by_its_place(definition: dict[str, Any], path: str) -> None:
    with pytest.raises(RuleError) as caught:
        parse(definition)
    assert caught.value.path == path
