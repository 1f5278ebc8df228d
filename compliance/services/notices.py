"""Publishing the words that people are shown when they are asked for consent."""

import hashlib
from datetime import datetime

from django.db import transaction

from compliance.models import Notice, Purpose
from compliance.services import audit


def publish(*, purpose: Purpose, version: int, language: str, text: str, actor: str, now: datetime) -> Notice:
    """Store one version in one language, for good. Raises `IntegrityError` when that version is there already."""
    with transaction.atomic():
        notice = Notice.objects.create(
            purpose=purpose,
            version=version,
            language=language,
            text=text,
            text_sha256=hashlib.sha256(text.encode()).hexdigest(),
            published_at=now,
        )
        audit.append(
            action="notice.published",
            actor=actor,
            object_type="notice",
            object_id=notice.pk,
            details={
                "purpose": purpose.key, "version": version, "language": language, "sha256": notice.text_sha256,
            },
            now=now,
        )  # fmt: skip
        return notice
