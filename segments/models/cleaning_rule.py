from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from segments.models.source import Source


class CleaningTarget(models.TextChoices):
    EVENTS = "events", _("Events")
    PROFILES = "profiles", _("Profiles")


class CleaningAction(models.TextChoices):
    NORMALISE = "normalise", _("Normalise a text")
    MAP = "map", _("Replace values by a table")
    REJECT = "reject", _("Reject with a reason")
    COMPLETE = "complete", _("Fill in what is missing")
    HOLD = "hold", _("Hold for a decision")


class CleaningRule(models.Model):
    """What is done to data before it is stored. Rules work in the order of `position`, on the API and on files alike.

    `parameters` are checked by `segments.cleaning.parse`; what each action takes stands there.
    """

    name = models.CharField(_("name"), max_length=120, unique=True)
    position = models.PositiveIntegerField(_("order"), default=0, db_index=True)
    target = models.CharField(_("applies to"), max_length=12, choices=CleaningTarget.choices)
    source = models.ForeignKey(
        Source, null=True, blank=True, on_delete=models.CASCADE, related_name="+", verbose_name=_("source"),
        help_text=_("Empty: data of all sources."),
    )  # fmt: skip
    event_names = ArrayField(
        models.CharField(max_length=64), default=list, blank=True, verbose_name=_("event names"),
        help_text=_("With commas between; empty: events of all names."),
    )  # fmt: skip
    field = models.CharField(_("field"), max_length=80, blank=True)
    action = models.CharField(_("action"), max_length=12, choices=CleaningAction.choices)
    parameters = models.JSONField(_("parameters"))
    is_active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(_("created at"), editable=False)

    class Meta:
        verbose_name = _("cleaning rule")
        verbose_name_plural = _("cleaning rules")
        ordering = ["position", "id"]
        constraints = [
            models.CheckConstraint(
                name="cleaning_rule_event_names_only_for_events",
                condition=models.Q(target=CleaningTarget.EVENTS) | models.Q(event_names=[]),
            ),
            models.CheckConstraint(
                name="cleaning_rule_holds_events_only",
                condition=models.Q(target=CleaningTarget.EVENTS) | ~models.Q(action=CleaningAction.HOLD),
            ),
            models.CheckConstraint(
                name="cleaning_rule_names_a_field",
                condition=~models.Q(field="") | models.Q(action=CleaningAction.HOLD),
            ),
        ]

    def __str__(self) -> str:
        return self.name
