"""`manage.py setup_roles`: the six roles as `config.roles` has them."""

from typing import Any

from django.core.management.base import BaseCommand

from config.roles import ROLES, apply_roles


class Command(BaseCommand):
    """Create the roles and give them their permissions; run again after each upgrade."""

    help = "Creates the roles " + ", ".join(ROLES) + "."

    def handle(self, *args: Any, **options: Any) -> None:
        apply_roles()
