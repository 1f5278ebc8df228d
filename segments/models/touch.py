from django.db import models
from django.utils.translation import gettext_lazy as _

from segments.models.profile import Profile


class Touch(models.Model):
    """Something about a person changed on which tags or segments may depend.

    Written in the transaction of the change, by the service that makes it or by a trigger of the database (migration
    0012_touch_when_consent_changes); removed in the transaction of what follows from it (`segments.services.followup`),
    so rows live for seconds. `cause` is one of `segments.causes`. Without a profile it
    is about so many people that everybody is looked at. The foreign key carries no database constraint, as with events.
    """

    profile = models.ForeignKey(
        Profile, null=True, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+",
        verbose_name=_("profile"),
    )  # fmt: skip
    cause = models.CharField(_("cause"), max_length=120)
    touched_at = models.DateTimeField(_("touched at"))

    class Meta:
        verbose_name = _("touch")
        verbose_name_plural = _("touches")

    def __str__(self) -> str:
        return f"#{self.profile_id or '*'} {self.cause}"
