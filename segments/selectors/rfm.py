"""RFM cells for tables and charts."""

from django.db.models import Count

from segments.models import ProfileStats


def cells() -> dict[tuple[int, int, int], int]:
    """How many people are in each cell of recency, frequency and monetary quintile."""
    rows = ProfileStats.objects.filter(rfm_recency__isnull=False).values_list(
        "rfm_recency", "rfm_frequency", "rfm_monetary"
    )
    return {(r, f, m): count for r, f, m, count in rows.annotate(Count("pk"))}
