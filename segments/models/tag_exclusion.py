from django.db import models
from django.utils.translation import gettext_lazy as _

from segments.models.profile import Profile
from segments.models.tag import Tag


class TagExclusion(models.Model):
    """A tag that was taken from a person for good: neither computation, import nor model gives it again.

    An exclusion from a definition whose tags are its children (categories) holds for all of them. Giving the tag by
    hand lifts it.
    """

    profile = models.ForeignKey(
        Profile, on_delete=models.CASCADE, related_name="tag_exclusions", verbose_name=_("profile"), db_index=False
    )
    tag = models.ForeignKey(Tag, on_delete=models.CASCADE, related_name="+", verbose_name=_("tag"))
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    excluded_at = models.DateTimeField(_("excluded at"))
    excluded_by = models.CharField(_("excluded by"), max_length=200)

    class Meta:
        verbose_name = _("removed tag of a person")
        verbose_name_plural = _("removed tags of people")
        constraints = [models.UniqueConstraint(fields=["profile", "tag"], name="tag_exclusion_unique")]

    def __str__(self) -> str:
        return f"#{self.profile_id} {self.tag_id}"
