"""Versions: what is different between two, and giving an earlier one back."""

from typing import Any

import pytest

from compliance.models import AuditLeaf
from segments.models import SegmentVersion
from segments.rules import RuleError
from segments.rules.difference import NodeChange, differences, in_words
from segments.services import segments
from tests.segments.membership.stage import ACTOR, BEIJING, BUYERS, NOW, SHANGHAI, create

IN = "city is “%s”"


def changed(before: Any, after: Any) -> list[tuple[str, bool, bool]]:
    """Path, and whether the node was there and is there."""
    return [(one.path, one.before is not None, one.after is not None) for one in differences(before, after)]


def test_equal_trees_do_not_differ() -> None:
    assert differences({"all": [SHANGHAI, {"any": [BUYERS]}]}, {"all": [SHANGHAI, {"any": [BUYERS]}]}) == []


def test_a_changed_condition_is_named_with_both_sentences() -> None:
    before, after = {"all": [BUYERS, SHANGHAI]}, {"all": [BUYERS, BEIJING]}
    (change,) = differences(before, after)
    assert change == NodeChange("/all/1", in_words(SHANGHAI), in_words(BEIJING))
    assert "Shanghai" in str(change.before)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"all": [SHANGHAI]}, {"all": [BUYERS, SHANGHAI]}, [("/all/0", False, True)]),
        ({"all": [BUYERS, SHANGHAI]}, {"all": [SHANGHAI]}, [("/all/0", True, False)]),
        ({"all": [SHANGHAI]}, {"any": [SHANGHAI]}, [("", True, True)]),
        (SHANGHAI, {"all": [SHANGHAI]}, [("", True, True)]),
        (
            {"all": [{"any": [SHANGHAI, BUYERS]}]},
            {"all": [{"any": [BEIJING, BUYERS]}]},
            [("/all/0/any/0", True, True)],
        ),
        ({"all": [SHANGHAI, BUYERS]}, {"all": []}, [("/all/0", True, False), ("/all/1", True, False)]),
    ],
)
def test_the_smallest_nodes_that_changed_are_named(before: Any, after: Any, expected: Any) -> None:
    assert changed(before, after) == expected


def test_what_is_no_rule_any_more_is_shown_as_it_is() -> None:
    assert differences({"gone": 1}, SHANGHAI)[0].before == '{"gone": 1}'


@pytest.mark.django_db
def test_an_earlier_version_comes_back_as_a_new_one() -> None:
    segment = create()
    changed = segments.change_definition(segment=segment, definition=BEIJING, actor=ACTOR, now=NOW)
    restored = segments.restore(segment=changed, version=1, actor=ACTOR, now=NOW)
    assert (restored.version, restored.definition) == (3, SHANGHAI)
    assert list(restored.versions.values_list("version", flat=True)) == [3, 2, 1]
    assert AuditLeaf.objects.filter(action="segment.version_restored", object_id=str(segment.uid)).count() == 1
    again = segments.restore(segment=restored, version=3, actor=ACTOR, now=NOW)
    assert again.version == 3


@pytest.mark.django_db
def test_a_version_that_cannot_be_used_or_never_was_is_not_restored() -> None:
    segment = create()
    SegmentVersion.objects.create(segment=segment, version=7, definition={"gone": 1}, created_at=NOW)
    with pytest.raises(RuleError):
        segments.restore(segment=segment, version=7, actor=ACTOR, now=NOW)
    with pytest.raises(SegmentVersion.DoesNotExist):
        segments.restore(segment=segment, version=9, actor=ACTOR, now=NOW)
    segment.refresh_from_db()
    assert segment.version == 1
