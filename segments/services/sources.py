"""The systems that data comes from."""

from django.core.exceptions import ValidationError
from django.core.validators import validate_slug

from segments.models import Source

MAX_KEY = 50


class SourceError(ValueError):
    """The key cannot name a source."""


def get_or_create(key: str) -> Source:
    """The source with this key, made on first use. Raises `SourceError` when the key is not a slug of up to 50."""
    try:
        validate_slug(key)
    except ValidationError:
        raise SourceError(f"source {key!r}: use letters, digits, hyphens and underscores") from None
    if len(key) > MAX_KEY:
        raise SourceError(f"source {key[:20]!r}...: is longer than {MAX_KEY} characters")
    return Source.objects.get_or_create(key=key)[0]
