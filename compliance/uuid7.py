"""UUIDv7 (RFC 9562, section 5.7): the public form of every id that leaves the system."""

import uuid

import uuid_utils


def uuid7() -> uuid.UUID:
    """A new time-ordered UUID as the standard library's type, which Django and psycopg adapt."""
    return uuid.UUID(int=uuid_utils.uuid7().int)
