from django.db import models
from django.utils.translation import gettext_lazy as _

from compliance.uuid7 import uuid7
from segments.models import Profile


class InboxMessage(models.Model):
    """A message in the inbox that an app or shop of ours shows to a person.

    Title and body are filled in for the person, so they are encrypted under the person's data key, as JSON
    (`campaigns.inbox`). `delivery_key` is the idempotency key of the delivery: a repeated one is the same message. The
    profile carries no database constraint, for many rows are written at once; erasure removes them with the person.
    """

    uid = models.UUIDField(_("public id"), unique=True, default=uuid7, editable=False)
    profile = models.ForeignKey(
        Profile, on_delete=models.CASCADE, db_constraint=False, db_index=False, related_name="inbox",
        verbose_name=_("profile"),
    )  # fmt: skip
    delivery_key = models.CharField(_("delivery key"), max_length=64, unique=True)
    content_encrypted = models.BinaryField(_("title and body"))
    created_at = models.DateTimeField(_("created at"))
    expires_at = models.DateTimeField(_("expires at"))
    read_at = models.DateTimeField(_("read at"), null=True)
    taken_down_at = models.DateTimeField(_("taken down at"), null=True)

    class Meta:
        verbose_name = _("inbox message")
        verbose_name_plural = _("inbox messages")
        ordering = ["-id"]
        indexes = [models.Index(fields=["profile", "id"], name="inbox_of_profile")]
        constraints = [
            models.CheckConstraint(
                name="inbox_message_expires_later", condition=models.Q(expires_at__gt=models.F("created_at"))
            ),
        ]

    def __str__(self) -> str:
        return str(self.uid)
