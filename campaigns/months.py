"""The partition of a run's deliveries."""

from datetime import UTC, date

from campaigns.models import Run


def month_of(run: Run) -> date:
    """First day of the month, in UTC, for which the run was scheduled: the same for each of its deliveries."""
    return run.scheduled_at.astimezone(UTC).date().replace(day=1)
