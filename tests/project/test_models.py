"""Rules that hold over all models."""

import re

import pytest
from django.apps import apps
from django.db import models

from tests.project import personal_data

ORDER = ["compliance", "segments", "campaigns"]  # each may refer to itself and to those before it
MODELS = [model for label in ORDER for model in apps.get_app_config(label).get_models()]


def _own_fields(model: type[models.Model]) -> set[str]:
    return {field.name for field in model._meta.get_fields() if field.concrete and not field.auto_created} | {
        field.name for field in model._meta.local_fields
    }


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_every_field_is_classified_once(model: type[models.Model]) -> None:
    label = model._meta.label
    placed = [
        name
        for group in (personal_data.DIRECT, personal_data.ABOUT, personal_data.NONE)
        for name in group.get(label, ())
    ]
    assert sorted(placed) == sorted(_own_fields(model))


@pytest.mark.parametrize("label", personal_data.DIRECT)
def test_direct_identifiers_are_stored_as_bytes(label: str) -> None:
    """Encrypted values and digests are binary; a text column would mean that something is stored in the clear."""
    model = apps.get_model(label)
    for name in personal_data.DIRECT[label]:
        assert isinstance(model._meta.get_field(name), models.BinaryField), name


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_foreign_keys_follow_the_direction_of_the_apps(model: type[models.Model]) -> None:
    allowed = [*ORDER[: ORDER.index(model._meta.app_label) + 1], "auth", "django_celery_beat"]
    for field in model._meta.get_fields():
        if field.concrete and field.is_relation:
            assert field.related_model._meta.app_label in allowed, field


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_at_and_by_of_one_act_are_constrained_as_a_pair(model: type[models.Model]) -> None:
    """A nullable `x_at` beside an `x_by` needs a check constraint that ties the two together."""
    names = _own_fields(model)
    checks = [str(c.condition) for c in model._meta.constraints if isinstance(c, models.CheckConstraint)]
    for name in names:
        act = name.removesuffix("_by")
        if act == name or f"{act}_at" not in names or not model._meta.get_field(f"{act}_at").null:
            continue
        assert any(
            re.search(rf"\b{act}_at", check) and re.search(rf"\b{name}\b|\b{name}__", check) for check in checks
        ), name


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_constraints_carry_names_that_tell_the_rule(model: type[models.Model]) -> None:
    for constraint in model._meta.constraints:
        assert re.fullmatch(r"[a-z][a-z_]+", constraint.name), constraint.name
