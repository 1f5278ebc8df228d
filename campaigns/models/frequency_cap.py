from django.core.validators import MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from compliance.channels import Channel
from segments.models import Segment


class CapClock(models.TextChoices):
    """What a period is: a span that moves with each message, or one of the calendar, in whose time zone."""

    ROLLING = "rolling", _("any such span of time")
    CALENDAR = "calendar", _("calendar, in the installation's time zone")
    CALENDAR_OF_PERSON = "calendar_of_person", _("calendar, in the person's time zone")


class CapUnit(models.TextChoices):
    HOUR = "hour", _("hours")
    DAY = "day", _("days")
    WEEK = "week", _("weeks")
    MONTH = "month", _("months")


class CapAction(models.TextChoices):
    DROP = "drop", _("leave the person out")
    DEFER = "defer", _("send later")


class FrequencyCap(models.Model):
    """At most so many messages to one person in a period. Of several caps the most restrictive wins."""

    name = models.CharField(_("name"), max_length=120, unique=True)
    segment = models.ForeignKey(
        Segment, null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("segment"),
        help_text=_("whom it concerns; empty for everybody"),
    )  # fmt: skip
    channel = models.CharField(
        _("channel"), max_length=12, choices=Channel.choices, blank=True,
        help_text=_("which messages count and are capped; empty for all channels together"),
    )  # fmt: skip
    most = models.PositiveSmallIntegerField(_("messages at most"), validators=[MinValueValidator(1)])
    periods = models.PositiveSmallIntegerField(
        _("in"), default=1, validators=[MinValueValidator(1)], help_text=_("so many of the unit; 1 for the calendar")
    )
    unit = models.CharField(_("unit"), max_length=8, choices=CapUnit.choices, default=CapUnit.WEEK)
    clock = models.CharField(_("period"), max_length=20, choices=CapClock.choices, default=CapClock.ROLLING)
    action = models.CharField(_("what happens"), max_length=8, choices=CapAction.choices, default=CapAction.DROP)
    is_active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("frequency cap")
        verbose_name_plural = _("frequency caps")
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                name="cap_allows_something",
                condition=models.Q(most__gte=1, periods__gte=1),
                violation_error_message=_("A cap allows at least one message in at least one period."),
            ),
            models.CheckConstraint(
                name="cap_calendar_counts_single_periods",
                condition=models.Q(clock=CapClock.ROLLING) | models.Q(periods=1),
                violation_error_message=_("A calendar period is one day, one week or one month."),
            ),
            models.CheckConstraint(
                name="cap_calendar_has_no_hours",
                condition=models.Q(clock=CapClock.ROLLING) | ~models.Q(unit=CapUnit.HOUR),
                violation_error_message=_("A calendar period is one day, one week or one month."),
            ),
            models.CheckConstraint(
                name="cap_rolling_has_no_months",
                condition=~models.Q(clock=CapClock.ROLLING, unit=CapUnit.MONTH),
                violation_error_message=_("Months differ in length: count days, or use the calendar."),
            ),
        ]

    def __str__(self) -> str:
        return self.name
