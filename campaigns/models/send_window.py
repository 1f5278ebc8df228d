from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from campaigns.hours import WEEKDAYS, HoursError, parse_ranges
from compliance.channels import Channel

HOURS_HELP = _("local time of each person, such as 12:00-13:30, 20:00-22:00; a range may cross midnight")


class Weekday(models.IntegerChoices):
    MONDAY = 1, _("Monday")
    TUESDAY = 2, _("Tuesday")
    WEDNESDAY = 3, _("Wednesday")
    THURSDAY = 4, _("Thursday")
    FRIDAY = 5, _("Friday")
    SATURDAY = 6, _("Saturday")
    SUNDAY = 7, _("Sunday")


def every_day() -> list[int]:
    return list(WEEKDAYS)


def validate_hours(text: str) -> None:
    """Raises `ValidationError` for what names no ranges of hours."""
    try:
        parse_ranges(text)
    except HoursError as error:
        raise ValidationError(_("“%(part)s” is not a range such as 12:00-13:30."), params={"part": error}) from error


class SendWindow(models.Model):
    """Hours of local time, on certain weekdays, in which a campaign reaches people."""

    name = models.CharField(_("name"), max_length=120, unique=True)
    hours = models.CharField(_("hours"), max_length=240, validators=[validate_hours], help_text=HOURS_HELP)
    weekdays = ArrayField(
        models.PositiveSmallIntegerField(validators=[MinValueValidator(1), MaxValueValidator(7)]),
        verbose_name=_("weekdays"), default=every_day, help_text=_("days on which the ranges begin"),
    )  # fmt: skip

    class Meta:
        verbose_name = _("send window")
        verbose_name_plural = _("send windows")
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(name="window_has_hours", condition=~models.Q(hours="")),
            models.CheckConstraint(
                name="window_has_weekdays",
                condition=models.Q(weekdays__len__gte=1, weekdays__contained_by=list(WEEKDAYS)),
                violation_error_message=_("A window needs at least one weekday."),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class QuietHours(models.Model):
    """Hours of local time in which nobody is written to on a kind of channel, whatever a window says."""

    channel = models.CharField(
        _("channel"), max_length=12, choices=Channel.choices, blank=True, unique=True,
        help_text=_("empty for all channels; what stands for one channel holds besides"),
    )  # fmt: skip
    hours = models.CharField(_("hours"), max_length=240, validators=[validate_hours], help_text=HOURS_HELP)
    is_active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("quiet hours")
        verbose_name_plural = _("quiet hours")
        ordering = ["channel"]
        constraints = [models.CheckConstraint(name="quiet_has_hours", condition=~models.Q(hours=""))]

    def __str__(self) -> str:
        return f"{self.get_channel_display() or _('all channels')}: {self.hours}"
