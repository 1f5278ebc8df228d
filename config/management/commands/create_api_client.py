"""`manage.py create_api_client NAME --scopes a,b`: let a partner system in."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from compliance.actors import SYSTEM
from compliance.services import api_clients


class Command(BaseCommand):
    help = "Create an API client and print its id and secret. The secret is stored hashed and shown this once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="what the client is called in the admin")
        parser.add_argument(
            "--scopes", required=True, help=f"comma-separated; there are: {', '.join(settings.OAUTH2_SCOPES)}"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        scopes = [scope.strip() for scope in options["scopes"].split(",") if scope.strip()]
        try:
            client, secret = api_clients.create(name=options["name"], scopes=scopes, actor=SYSTEM, now=timezone.now())
        except api_clients.ApiClientError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"CLIENT_ID={client.client_id}\nCLIENT_SECRET={secret}")
