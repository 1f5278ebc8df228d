"""Runs in the order in which they were made, page by page."""

from campaigns.models import Run


def page_after(*, campaign: str | None, state: str | None, after: int, limit: int) -> list[Run]:
    """Up to `limit` runs behind that id, of a campaign and in a state if these are given, with the campaign loaded."""
    runs = Run.objects.filter(pk__gt=after).select_related("campaign").order_by("pk")
    if campaign is not None:
        runs = runs.filter(campaign__key=campaign)
    if state is not None:
        runs = runs.filter(state=state)
    return list(runs[:limit])
