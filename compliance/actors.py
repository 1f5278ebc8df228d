"""Who did something, as it is written into ledgers and audit leaves."""

from typing import Protocol

SYSTEM = "system"


class _User(Protocol):
    def get_username(self) -> str: ...


def user(user: _User) -> str:
    """A member of staff."""
    return f"user:{user.get_username()}"


def client(client_id: str) -> str:
    """A partner system on the API."""
    return f"api:{client_id}"
