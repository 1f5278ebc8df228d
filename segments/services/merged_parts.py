"""What of a profile goes over in a merge besides its events: columns, identifiers, tags, memberships. And back.

`move` returns all that `move_back` needs, as JSON values.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import F, Model, Q, QuerySet

from segments import identities
from segments.models import (
    Identity,
    IdentityKind,
    Profile,
    ProfileStats,
    ProfileTag,
    Segment,
    SegmentMembership,
    TagExclusion,
    TagKind,
)
from segments.services import segment_history

COLUMNS = ("gender", "birth_date", "language", "country", "region", "city", "timezone")
RFM = ("rfm_recency", "rfm_frequency", "rfm_monetary", "rfm_at")
TAKE = "DELETE FROM {table} WHERE id = ANY(%s) RETURNING to_jsonb({table})::text"
PUT_BACK = "INSERT INTO {table} SELECT * FROM jsonb_populate_record(NULL::{table}, %s::jsonb) ON CONFLICT DO NOTHING"
Snapshot = dict[str, Any]
Keys = Mapping[int, bytes]


def move(*, survivor: Profile, absorbed: Profile, keys: Keys, now: datetime) -> Snapshot:
    """Give the survivor what the absorbed profile has; both are locked. The absorbed one is empty then."""
    in_segments = _move_rows(_frozen(absorbed.pk), survivor.pk)
    _count_members(in_segments, -1)
    segment_history.tell_moved(
        moved=in_segments["moved"], kept=_segments_of(in_segments), giver=absorbed.pk, taker=survivor.pk, now=now
    )
    # Whoever did not want a tag does not get it back by a merge.
    exclusions = _move_rows(TagExclusion.objects.filter(profile=absorbed), survivor.pk)
    barred = _take(_barred(survivor.pk, absorbed.pk))
    return {
        "exclusions": exclusions,
        "barred": barred,
        "identities": _move_identities(survivor, absorbed, keys),
        "tags": _move_rows(ProfileTag.objects.filter(profile=absorbed), survivor.pk),
        "memberships": in_segments,
        "rfm": _move_rfm(survivor.pk, absorbed.pk),
        **_move_columns(survivor, absorbed, keys, now),
    }


def move_back(*, survivor: Profile, absorbed: Profile, keys: Keys, snapshot: Snapshot, now: datetime) -> None:
    """Undo `move`, as far as what it moved is still there."""
    _move_identities_back(survivor, absorbed, keys, snapshot["identities"])
    _move_rows_back(TagExclusion.objects.filter(profile=survivor), absorbed.pk, snapshot["exclusions"])
    _put_back(ProfileTag, snapshot["barred"])
    _move_rows_back(ProfileTag.objects.filter(profile=survivor), absorbed.pk, snapshot["tags"])
    _move_rows_back(_frozen(survivor.pk), absorbed.pk, snapshot["memberships"])
    _count_members(snapshot["memberships"], 1)
    segment_history.tell_moved_back(
        moved=snapshot["memberships"]["moved"], kept=_segments_of(snapshot["memberships"]), giver=survivor.pk,
        taker=absorbed.pk, now=now,
    )  # fmt: skip
    _move_columns_back(survivor, absorbed, keys, snapshot, now)


def settle_rfm(*, survivor_id: int, absorbed_id: int, snapshot: Snapshot) -> None:
    """Give the absorbed profile its quintiles back; the survivor loses those that came from it."""
    found = snapshot["rfm"]
    ProfileStats.objects.filter(pk=absorbed_id).update(**found["absorbed"])
    if found["taken"]:
        survivor = ProfileStats.objects.filter(pk=survivor_id, rfm_at=found["absorbed"]["rfm_at"])
        survivor.update(**dict.fromkeys(RFM))
    ProfileStats.objects.filter(pk=survivor_id, order_count=0).update(**dict.fromkeys(RFM))


def _move_rfm(survivor_id: int, absorbed_id: int) -> Snapshot:
    rows = ProfileStats.objects.in_bulk([survivor_id, absorbed_id])
    values = {name: getattr(rows[absorbed_id], name) for name in RFM}
    taken = rows[survivor_id].rfm_at is None and rows[absorbed_id].rfm_at is not None
    if taken:
        ProfileStats.objects.filter(pk=survivor_id).update(**values)
    ProfileStats.objects.filter(pk=absorbed_id).update(**dict.fromkeys(RFM))
    at = values["rfm_at"]
    return {"taken": taken, "absorbed": {**values, "rfm_at": at.isoformat() if at else None}}


def _move_columns(survivor: Profile, absorbed: Profile, keys: Keys, now: datetime) -> Snapshot:
    """The survivor's values win; empty ones are filled."""
    name = _name(absorbed, keys)
    values = {column: _plain(getattr(absorbed, column)) for column in COLUMNS}
    filled = [column for column in COLUMNS if getattr(absorbed, column) and not getattr(survivor, column)]
    for column in filled:
        setattr(survivor, column, getattr(absorbed, column))
    new = sorted(absorbed.attributes.keys() - survivor.attributes.keys())
    found = {
        "columns": values, "filled": filled, "attributes": absorbed.attributes, "filled_attributes": new,
        "name": name, "filled_name": bool(name) and not _name(survivor, keys),
        "updated_at": absorbed.updated_at.isoformat(),
    }  # fmt: skip
    survivor.attributes = {**absorbed.attributes, **survivor.attributes}
    if found["filled_name"] and name:
        survivor.name_encrypted = identities.encrypt_name(keys[survivor.pk], name)
    survivor.updated_at = now
    survivor.save(update_fields=["name_encrypted", "attributes", "updated_at", *COLUMNS])
    _empty(absorbed)
    absorbed.merged_into, absorbed.updated_at = survivor, now
    absorbed.save(update_fields=["name_encrypted", "attributes", "updated_at", "merged_into", *COLUMNS])
    return found


def _move_columns_back(survivor: Profile, absorbed: Profile, keys: Keys, snapshot: Snapshot, now: datetime) -> None:
    _empty(absorbed)
    for column, value in snapshot["columns"].items():
        setattr(absorbed, column, date.fromisoformat(value) if column == "birth_date" and value else value)
    for column in snapshot["filled"]:
        if getattr(survivor, column) == getattr(absorbed, column):
            setattr(survivor, column, None if column == "birth_date" else "")
    absorbed.attributes = snapshot["attributes"]
    survivor.attributes = {
        key: value
        for key, value in survivor.attributes.items()
        if key not in snapshot["filled_attributes"] or value != absorbed.attributes[key]
    }
    name = snapshot["name"]
    if name is not None:
        absorbed.name_encrypted = identities.encrypt_name(keys[absorbed.pk], name)
    if snapshot["filled_name"] and _name(survivor, keys) == name:
        survivor.name_encrypted = None
    absorbed.merged_into, absorbed.updated_at = None, datetime.fromisoformat(snapshot["updated_at"])
    survivor.updated_at = now
    absorbed.save(update_fields=["name_encrypted", "attributes", "updated_at", "merged_into", *COLUMNS])
    survivor.save(update_fields=["name_encrypted", "attributes", "updated_at", *COLUMNS])


def _empty(profile: Profile) -> None:
    for column in COLUMNS:
        setattr(profile, column, None if column == "birth_date" else "")
    profile.name_encrypted, profile.attributes = None, {}


def _name(profile: Profile, keys: Keys) -> str | None:
    stored = profile.name_encrypted
    return identities.decrypt_name(keys[profile.pk], bytes(stored)) if stored else None


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def _move_identities(survivor: Profile, absorbed: Profile, keys: Keys) -> list[Snapshot]:
    """Where the survivor has a primary one of the kind, it stays the one to write to."""
    primary = set(Identity.objects.filter(profile=survivor, is_primary=True).values_list("kind", flat=True))
    moved = list(Identity.objects.filter(profile=absorbed).order_by("pk"))
    found = [{"id": one.pk, "is_primary": one.is_primary} for one in moved]
    for one in moved:
        _reencrypt(one, keys[absorbed.pk], keys[survivor.pk])
        one.profile = survivor
        one.is_primary = one.is_primary and (one.kind == IdentityKind.EXTERNAL or one.kind not in primary)
    Identity.objects.bulk_update(moved, ["profile", "value_encrypted", "is_primary"])
    return found


def _move_identities_back(survivor: Profile, absorbed: Profile, keys: Keys, found: Sequence[Snapshot]) -> None:
    was_primary = {one["id"]: one["is_primary"] for one in found}
    moved = list(Identity.objects.filter(profile=survivor, pk__in=was_primary).order_by("pk"))
    for one in moved:
        _reencrypt(one, keys[survivor.pk], keys[absorbed.pk])
        one.profile, one.is_primary = absorbed, was_primary[one.pk]
    Identity.objects.bulk_update(moved, ["profile", "value_encrypted", "is_primary"])
    left = Identity.objects.filter(profile=survivor).exclude(kind=IdentityKind.EXTERNAL).order_by("pk")
    newest = {one.kind: one for one in left}
    has_one = {one.kind for one in left if one.is_primary}
    lacking = [one.pk for kind, one in newest.items() if kind not in has_one]
    Identity.objects.filter(pk__in=lacking).update(is_primary=True)


def _reencrypt(one: Identity, old: bytes, new: bytes) -> None:
    value = identities.decrypt(old, one.kind, bytes(one.value_encrypted))
    one.value_encrypted = identities.encrypt(new, one.kind, value)


def _move_rows(rows: QuerySet[Any], survivor_id: int) -> Snapshot:
    """Move what the database's constraints let the survivor have beside its own; take away the rest, and keep it."""
    found = list(rows.order_by("pk").values_list("pk", flat=True))
    moved: list[int] = []
    for pk in found:
        try:
            with transaction.atomic():
                rows.filter(pk=pk).update(profile=survivor_id)
        except IntegrityError:
            continue
        moved.append(pk)
    return {"moved": moved, "kept": _take(rows.filter(pk__in=set(found) - set(moved)))}


def _move_rows_back(rows: QuerySet[Any], absorbed_id: int, found: Snapshot) -> None:
    """`rows` are the survivor's."""
    rows.filter(pk__in=found["moved"]).update(profile=absorbed_id)
    _put_back(rows.model, found["kept"])


def _take(rows: QuerySet[Any]) -> list[str]:
    """Remove these rows; returns them as JSON."""
    table = connection.ops.quote_name(rows.model._meta.db_table)
    wanted = list(rows.values_list("pk", flat=True))
    if not wanted:
        return []
    with connection.cursor() as cursor:
        cursor.execute(TAKE.format(table=table), [wanted])
        return [row for (row,) in cursor.fetchall()]


def _put_back(model: type[Model], taken: Sequence[str]) -> None:
    table = connection.ops.quote_name(model._meta.db_table)
    with connection.cursor() as cursor:
        for row in taken:
            cursor.execute(PUT_BACK.format(table=table), [row])


def _barred(survivor_id: int, absorbed_id: int) -> QuerySet[ProfileTag]:
    """Tags that one of the two carries and the other does not want."""
    unwanted = TagExclusion.objects.filter(profile=survivor_id).values("tag")
    carried = ProfileTag.objects.filter(profile__in=[survivor_id, absorbed_id])
    return carried.filter(Q(tag__in=unwanted) | Q(tag__parent__in=unwanted, tag__kind=TagKind.CATEGORY))


def _frozen(profile_id: int) -> QuerySet[SegmentMembership]:
    """Memberships that no rule refreshes: of inactive segments, snapshots and lists. The others follow from the touch
    of a merge within seconds."""
    following = Segment.objects.following().values("pk")
    return SegmentMembership.objects.filter(profile=profile_id).exclude(segment__in=following)


def _count_members(found: Snapshot, change: int) -> None:
    """A segment that both were in has one member less for it."""
    Segment.objects.filter(pk__in=_segments_of(found)).update(member_count=F("member_count") + change)


def _segments_of(found: Snapshot) -> list[int]:
    """The segments whose memberships were taken away, since the survivor has one of its own."""
    return [json.loads(row)["segment_id"] for row in found["kept"]]
