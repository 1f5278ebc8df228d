"""Who belongs to a person: the subject, and those who were merged into it."""

from django.db.models.functions import Coalesce

from compliance.models import Subject


def whole_person(subject_id: int) -> list[int]:
    """The survivor and all who were merged into them, whichever of these `subject_id` is."""
    survivor = Subject.objects.filter(pk=subject_id).values_list(Coalesce("merged_into_id", "pk"), flat=True).first()
    if survivor is None:
        return []
    return [survivor, *Subject.objects.filter(merged_into=survivor).order_by("pk").values_list("pk", flat=True)]
