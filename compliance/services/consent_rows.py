"""A consent record as auditors get it, and the digest of it that its audit leaf carries.

The leaf tells no personal data, but binds the record: the random ids in the row keep the digest from being guessed.
"""

import hashlib
import json
from datetime import datetime
from typing import Any

from compliance.models import ConsentRecord, Notice

COLUMNS = (
    "uid", "subject", "purpose", "channel", "action", "method", "notice", "source", "occurred_at", "expires_at",
    "recorded_at", "recorded_by", "evidence",
)  # fmt: skip


def row(record: ConsentRecord) -> dict[str, Any]:
    """The record with the values of `COLUMNS`; `record` comes with subject, purpose and notice."""
    notice = record.notice
    return {
        "uid": str(record.uid),
        "subject": str(record.subject.uid),
        "purpose": record.purpose.key,
        "channel": record.channel,
        "action": record.action,
        "method": record.method,
        "notice": {"version": notice.version, "language": notice.language, "sha256": notice.text_sha256}
        if notice
        else None,
        "source": record.source,
        "occurred_at": written_time(record.occurred_at),
        "expires_at": written_time(record.expires_at),
        "recorded_at": written_time(record.recorded_at),
        "recorded_by": record.recorded_by,
        "evidence": record.evidence,
    }


def notice_row(notice: Notice) -> dict[str, Any]:
    """A notice; it comes with its purpose."""
    return {
        "purpose": notice.purpose.key,
        "version": notice.version,
        "language": notice.language,
        "published_at": written_time(notice.published_at),
        "sha256": notice.text_sha256,
        "text": notice.text,
    }


def line(values: Any) -> str:
    """One line of JSON: keys in order, no space, no escapes; the bytes that `digest` is of."""
    return json.dumps(values, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def digest(record: ConsentRecord) -> str:
    """The SHA-256 of the record's line, in hexadecimal digits."""
    return hashlib.sha256(line(row(record)).encode()).hexdigest()


def written_time(moment: datetime | None) -> str | None:
    """ISO 8601 with microseconds."""
    return moment.isoformat(timespec="microseconds") if moment else None
