"""The tags of single categories below a definition: one is made for each category that occurs."""

import hashlib
import logging
from collections.abc import Iterable

from django.utils.text import slugify

from segments.models import Tag, TagKind

logger = logging.getLogger(__name__)

MAX_CATEGORIES = 1_000
"""Tags that one definition makes at most: a source that sends ids as categories must not flood the tree."""
MAX_KEY = 50


def ensure(*, definition: Tag, categories: Iterable[str]) -> None:
    """Make the tags of these categories that are not there yet, in the caller's transaction."""
    known = set(definition.children.filter(kind=TagKind.CATEGORY).values_list("category", flat=True))
    missing = sorted({category for category in categories if category} - known)
    room = MAX_CATEGORIES - len(known)
    if len(missing) > room:
        logger.warning("tag %s: only %d of %d new categories become tags", definition.key, room, len(missing))
    plain = {category: _key(definition.key, category) for category in missing[:room]}
    taken = set(Tag.objects.filter(key__in=plain.values()).values_list("key", flat=True))
    keys = {
        category: _key(definition.key, category, digest=True) if key in taken else key
        for category, key in plain.items()
    }
    Tag.objects.bulk_create([_tag(definition, category, key) for category, key in keys.items()], ignore_conflicts=True)


def inherit(*, definition: Tag) -> None:
    """Let the tags of the categories fade as their definition says, after that changed."""
    definition.children.filter(kind=TagKind.CATEGORY).update(
        half_life_days=definition.half_life_days, floor=definition.floor, layer=definition.layer
    )


def _tag(definition: Tag, category: str, key: str) -> Tag:
    return Tag(
        key=key, name=f"{definition.name}: {category}"[:120], layer=definition.layer, parent=definition,
        kind=TagKind.CATEGORY, category=category, half_life_days=definition.half_life_days, floor=definition.floor,
        path=f"{definition.path} 0000{key}",
    )  # fmt: skip


def _key(parent: str, category: str, *, digest: bool = False) -> str:
    """The parent's key and the category in letters that keys may have; a digest tells apart what those cannot."""
    plain = slugify(category)
    if not digest and plain == category.lower() and len(parent) + 1 + len(plain) <= MAX_KEY:
        return f"{parent}-{plain}"
    telling = hashlib.sha256(category.encode()).hexdigest()[:8]
    room = MAX_KEY - len(parent) - len(telling) - 2
    return "-".join(part for part in (parent, plain[: max(room, 0)].strip("-"), telling) if part)
