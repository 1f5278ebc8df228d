from django.db import models
from django.utils.translation import gettext_lazy as _

from compliance.channels import Channel
from compliance.models.append_only import APPEND_ONLY
from compliance.models.notice import Notice
from compliance.models.purpose import Purpose
from compliance.models.subject import Subject
from compliance.uuid7 import uuid7


class ConsentAction(models.TextChoices):
    GIVEN = "given", _("Given")
    WITHDRAWN = "withdrawn", _("Withdrawn")
    EXPIRED = "expired", _("Expired")


class ConsentMethod(models.TextChoices):
    """How the person's will was expressed or reached us."""

    FORM = "form", _("Form ticked by the person")
    DOUBLE_OPT_IN = "double_opt_in", _("Confirmed by double opt-in")
    API = "api", _("Partner system")
    IMPORT = "import", _("Import with evidence")
    STAFF = "staff", _("Staff on request of the person")
    ONE_CLICK = "one_click", _("One-click unsubscribe")
    LINK = "link", _("Link page")
    CLOCK = "clock", _("Passing of time")
    MERGE = "merge", _("Carried over between records of one person")


class ConsentRecord(models.Model):
    """One line of the consent ledger: what a person decided, when, on which words, and the proof. Append-only.

    The fields follow ISO/IEC TS 27560: header (uid, recorded_at), processing (purpose, channel, notice), party
    (subject, source) and event (action, method, occurred_at, expires_at, evidence).
    """

    uid = models.UUIDField(_("public id"), unique=True, default=uuid7, editable=False)
    subject = models.ForeignKey(
        Subject, on_delete=models.PROTECT, related_name="consent_records", verbose_name=_("subject")
    )
    purpose = models.ForeignKey(Purpose, on_delete=models.PROTECT, related_name="+", verbose_name=_("purpose"))
    channel = models.CharField(_("channel"), max_length=12, choices=Channel.choices)
    action = models.CharField(_("action"), max_length=12, choices=ConsentAction.choices)
    method = models.CharField(_("method"), max_length=16, choices=ConsentMethod.choices)
    notice = models.ForeignKey(
        Notice,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("notice shown"),
    )
    source = models.CharField(_("source"), max_length=120, help_text=_("system or place the decision came from"))
    evidence = models.JSONField(_("evidence"), default=dict, blank=True)
    occurred_at = models.DateTimeField(_("decided at"))
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)
    recorded_at = models.DateTimeField(_("recorded at"))
    recorded_by = models.CharField(_("recorded by"), max_length=200)

    class Meta:
        verbose_name = _("consent record")
        verbose_name_plural = _("consent records")
        permissions = [("export_consentrecord", _("Can export consent records"))]
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["subject", "purpose", "channel", "occurred_at"], name="consent_record_history"),
            models.Index(fields=["recorded_at", "id"], name="consent_record_export"),
        ]
        constraints = [
            models.CheckConstraint(
                name="consent_given_names_notice",
                condition=~models.Q(action=ConsentAction.GIVEN) | models.Q(notice__isnull=False),
            ),
            models.CheckConstraint(
                name="consent_expiry_after_decision",
                condition=models.Q(expires_at__isnull=True) | models.Q(expires_at__gt=models.F("occurred_at")),
            ),
        ]
        triggers = APPEND_ONLY

    def __str__(self) -> str:
        return f"{self.get_action_display()} {self.purpose_id}/{self.channel} {self.occurred_at:%Y-%m-%d}"


class ConsentState(models.Model):
    """The latest decision per person, purpose and channel, kept beside the ledger in the same transaction.

    No row means no consent. A row means yes only while `action` is given and `expires_at` lies ahead.
    """

    subject = models.ForeignKey(
        Subject, on_delete=models.PROTECT, related_name="consent_states", verbose_name=_("subject")
    )
    purpose = models.ForeignKey(Purpose, on_delete=models.PROTECT, related_name="+", verbose_name=_("purpose"))
    channel = models.CharField(_("channel"), max_length=12, choices=Channel.choices)
    action = models.CharField(_("action"), max_length=12, choices=ConsentAction.choices)
    record = models.ForeignKey(ConsentRecord, on_delete=models.PROTECT, related_name="+", verbose_name=_("record"))
    occurred_at = models.DateTimeField(_("decided at"))
    expires_at = models.DateTimeField(_("expires at"), null=True)

    class Meta:
        verbose_name = _("consent")
        verbose_name_plural = _("consents")
        constraints = [
            models.UniqueConstraint(fields=["subject", "purpose", "channel"], name="consent_state_unique"),
        ]
        indexes = [
            models.Index(
                fields=["expires_at"],
                name="consent_state_to_expire",
                condition=models.Q(action=ConsentAction.GIVEN, expires_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subject_id} {self.purpose_id}/{self.channel}: {self.get_action_display()}"
