"""Guessing passwords is slow."""

import pytest
from axes.utils import reset
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery staple"


@pytest.fixture(autouse=True)
def clean(settings: LazySettings) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # the real one is slow on purpose
    for name in ("anna", "mallory"):
        reset(username=name, ip="127.0.0.1")


def log_in(client: Client, name: str, password: str) -> int:
    return client.post(reverse("admin:login"), {"username": name, "password": password}).status_code


@pytest.fixture
def anna() -> User:
    return User.objects.create_superuser("anna", "anna@example.com", PASSWORD)


def test_ten_wrong_passwords_lock_the_name_out_and_say_so(anna: User) -> None:
    client = Client()
    assert [log_in(client, "anna", "wrong") for _ in range(10)] == [200] * 9 + [429]
    answer = client.post(reverse("admin:login"), {"username": "anna", "password": PASSWORD})
    assert answer.status_code == 429
    assert b"quarter of an hour" in answer.content
    assert "_auth_user_id" not in client.session


def test_somebody_else_at_the_same_address_is_not_locked_out(anna: User) -> None:
    client = Client()
    for _ in range(10):
        log_in(client, "mallory", "wrong")
    assert log_in(client, "anna", PASSWORD) == 302


def test_a_right_password_forgives_the_wrong_ones_before(anna: User) -> None:
    client = Client()
    for _ in range(3):
        assert [log_in(client, "anna", "wrong") for _ in range(9)] == [200] * 9
        assert log_in(client, "anna", PASSWORD) == 302
        client.logout()
