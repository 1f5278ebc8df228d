"""Questions about merges; nothing here changes anything."""

from django.db.models import Q

from segments.models import Profile, ProfileMerge


def merges_of(profile: Profile) -> list[ProfileMerge]:
    """The merges that made this person what they are, newest first, those too that were undone.

    Of somebody whose profile took in others that had taken in others, all of them.
    """
    absorbed = list(Profile.objects.filter(merged_into=profile.pk).values_list("pk", flat=True))
    concerned = Q(survivor__in=[profile.pk, *absorbed]) | Q(absorbed=profile.pk)
    rows = ProfileMerge.objects.filter(concerned).select_related("survivor__subject", "absorbed__subject")
    return list(rows.order_by("-pk"))
