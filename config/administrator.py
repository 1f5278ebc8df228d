"""The first account of an installation."""

import secrets

from django.contrib.auth import get_user_model


def ensure_administrator() -> str | None:
    """Create the superuser `admin` when no superuser exists. Returns its password, else None."""
    users = get_user_model()._default_manager
    if users.filter(is_superuser=True).exists():
        return None
    password = secrets.token_urlsafe(12)
    get_user_model().objects.create_superuser("admin", "", password)
    return password
