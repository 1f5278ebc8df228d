from django.db import models
from django.utils.translation import gettext_lazy as _

from compliance.models.subject import Subject
from compliance.uuid7 import uuid7


class RequestKind(models.TextChoices):
    ACCESS = "access", _("Access and copy (GDPR 15, 20; PIPL 45)")
    CORRECTION = "correction", _("Correction (GDPR 16; PIPL 46)")
    ERASURE = "erasure", _("Erasure (GDPR 17; PIPL 47)")


class RequestState(models.TextChoices):
    OPEN = "open", _("Open")
    FULFILLED = "fulfilled", _("Fulfilled")
    REFUSED = "refused", _("Refused")


class SubjectRequest(models.Model):
    """What a person asked for about their own data. Nothing is handed out or erased before the identity is checked."""

    uid = models.UUIDField(_("public id"), unique=True, default=uuid7, editable=False)
    subject = models.ForeignKey(Subject, on_delete=models.PROTECT, related_name="requests", verbose_name=_("subject"))
    kind = models.CharField(_("kind"), max_length=12, choices=RequestKind.choices)
    state = models.CharField(_("state"), max_length=12, choices=RequestState.choices, default=RequestState.OPEN)
    source = models.CharField(_("source"), max_length=120, help_text=_("how the request came: letter, form, telephone"))
    received_at = models.DateTimeField(_("received at"))
    due_at = models.DateTimeField(_("answer due"))
    identity_checked_at = models.DateTimeField(_("identity checked at"), null=True, editable=False)
    identity_checked_by = models.CharField(_("identity checked by"), max_length=200, blank=True, editable=False)
    closed_at = models.DateTimeField(_("closed at"), null=True, editable=False)
    closed_by = models.CharField(_("closed by"), max_length=200, blank=True, editable=False)
    answer = models.TextField(_("answer"), blank=True, help_text=_("what was done, or why it was refused"))

    class Meta:
        verbose_name = _("request of a person")
        verbose_name_plural = _("requests of people")
        ordering = ["-id"]
        permissions = [("fulfil_subjectrequest", _("Can hand out and erase people's data on request"))]
        constraints = [
            models.CheckConstraint(
                name="request_closed_iff_not_open",
                condition=models.Q(state=RequestState.OPEN, closed_at__isnull=True, closed_by="")
                | (~models.Q(state=RequestState.OPEN) & models.Q(closed_at__isnull=False) & ~models.Q(closed_by="")),
            ),
            models.CheckConstraint(
                name="request_identity_checked_pair",
                condition=models.Q(identity_checked_at__isnull=True, identity_checked_by="")
                | (models.Q(identity_checked_at__isnull=False) & ~models.Q(identity_checked_by="")),
            ),
            models.CheckConstraint(
                name="request_fulfilled_after_identity_check",
                condition=~models.Q(state=RequestState.FULFILLED) | models.Q(identity_checked_at__isnull=False),
            ),
            models.CheckConstraint(
                name="request_refused_with_answer",
                condition=~models.Q(state=RequestState.REFUSED) | ~models.Q(answer=""),
            ),
        ]
        indexes = [models.Index(fields=["due_at"], name="request_open", condition=models.Q(state=RequestState.OPEN))]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.received_at:%Y-%m-%d}"
