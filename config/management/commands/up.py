"""`manage.py up`: the whole of Heed in the foreground."""

from argparse import ArgumentParser
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import connections

from config.administrator import ensure_administrator
from config.services import hold_services
from config.supervisor import Supervisor, server_processes


class Command(BaseCommand):
    """Migrate, make sure there is an administrator, and run web, worker and beat until Ctrl-C."""

    help = "Run web, worker and beat together in the foreground; Ctrl-C ends all of them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
        parser.add_argument("--port", default=8000, type=int, help="port to listen on (default: %(default)s)")

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", verbosity=0, interactive=False)
        call_command("setup_roles")
        call_command("setup_tags")
        call_command("setup_windows")
        password = ensure_administrator()
        if password:
            self.stdout.write(f"Created the administrator 'admin' with the password {password} (shown only once)")
        connections.close_all()  # the supervisor itself needs the database no more
        host, port = options["host"], options["port"]
        self.stdout.write(f"Admin: http://{host}:{port}/admin/  (Ctrl-C ends everything)")
        self.stdout.flush()
        Supervisor(server_processes(host=host, port=port), check=hold_services).run_until_signal()
