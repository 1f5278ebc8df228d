"""On the page of a person: which segments they are in, since when and why, and how that changed."""

from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from segments.models import Profile
from segments.selectors import explanations, segment_history
from segments.selectors.segment_history import cause_in_words

CHANGES = 30


class SegmentsOfProfile:
    """Two read-only fields, for the model admin of profiles."""

    @display(description=_("segments"))
    def in_segments(self, obj: Profile) -> str:
        found = explanations.reasons(obj.pk, timezone.now())
        rows = [(reason, cause_in_words(reason.cause) if reason.cause else "") for reason in found]
        return render_to_string("segments/admin/profile_segments.html", {"reasons": rows})

    @display(description=_("entries and exits"))
    def segment_history(self, obj: Profile) -> str:
        rows = [(change, cause_in_words(change.cause)) for change in segment_history.changes_of(obj.pk, CHANGES)]
        return render_to_string("segments/admin/profile_segment_history.html", {"changes": rows})
