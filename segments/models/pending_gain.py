from django.db import models
from django.utils.translation import gettext_lazy as _

from segments.models.profile import Profile
from segments.models.tag import Tag


class PendingGain(models.Model):
    """An event that is yet to be added to an interest: written in the event's transaction, removed in that which adds
    it (`services.tags.interests`), so each event counts once. Rows live for seconds.

    The foreign keys carry no database constraint, as with events.
    """

    profile = models.ForeignKey(
        Profile, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+",
        verbose_name=_("profile"),
    )  # fmt: skip
    tag = models.ForeignKey(
        Tag, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+", verbose_name=_("tag")
    )
    category = models.CharField(_("category"), max_length=80)
    occurred_at = models.DateTimeField(_("occurred at"))
    gain = models.FloatField(_("gain"))

    class Meta:
        verbose_name = _("pending gain")
        verbose_name_plural = _("pending gains")

    def __str__(self) -> str:
        return f"#{self.profile_id} {self.tag_id} +{self.gain}"
