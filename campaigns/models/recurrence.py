from collections.abc import Iterator
from datetime import datetime

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from campaigns.crontabs import FIELDS, Crontab


class Recurrence(models.Model):
    """The columns of a campaign that recurs by a crontab; empty for any other.

    `next_at` is the next time that nothing was decided about yet: the row is the queue, beat only the alarm clock.
    """

    minute = models.CharField(_("minute"), max_length=96, blank=True)
    hour = models.CharField(_("hour"), max_length=96, blank=True)
    day_of_month = models.CharField(_("day of month"), max_length=96, blank=True)
    month_of_year = models.CharField(_("month"), max_length=64, blank=True)
    day_of_week = models.CharField(_("day of week"), max_length=64, blank=True)
    timezone = models.CharField(_("time zone"), max_length=64, blank=True)
    starts_at = models.DateTimeField(_("first time not before"), null=True, blank=True)
    ends_at = models.DateTimeField(_("last time not after"), null=True, blank=True)
    may_overlap = models.BooleanField(_("start although the run before is still sending"), default=False)
    next_at = models.DateTimeField(_("next time"), null=True, editable=False)

    class Meta:
        abstract = True

    @property
    def crontab(self) -> Crontab:
        return Crontab(**{field: getattr(self, field) for field in (*FIELDS, "timezone")})

    def times(self, *, after: datetime) -> Iterator[datetime]:
        """The campaign's times after `after`, between its start and its end."""
        return self.crontab.times(after=after, starts_at=self.starts_at, ends_at=self.ends_at)


_NONE_EMPTY = Q(*[~Q(**{field: ""}) for field in (*FIELDS, "timezone")])
_ALL_EMPTY = Q(**dict.fromkeys((*FIELDS, "timezone"), ""), starts_at=None, ends_at=None, may_overlap=False)

RECURRENCE_CONSTRAINTS = [
    models.CheckConstraint(
        name="campaign_time_if_once",
        condition=Q(kind="once", scheduled_at__isnull=False) | (~Q(kind="once") & Q(scheduled_at__isnull=True)),
    ),
    models.CheckConstraint(
        name="campaign_crontab_if_recurring",
        condition=(Q(kind="recurring") & _NONE_EMPTY) | (~Q(kind="recurring") & _ALL_EMPTY),
    ),
    models.CheckConstraint(
        name="campaign_ends_after_it_starts",
        condition=Q(starts_at=None) | Q(ends_at=None) | Q(ends_at__gt=models.F("starts_at")),
    ),
    models.CheckConstraint(
        name="campaign_next_time_while_it_recurs",
        condition=Q(next_at=None) | Q(kind="recurring", state__in=["approved", "running"]),
    ),
]
