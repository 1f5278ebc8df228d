"""`manage.py demo`: Heed's main job on real data."""

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from config.administrator import ensure_administrator
from config.demo.data import DemoDataError
from config.demo.sink import Sink
from config.demo.story import FIRST, SECOND, DemoError, Story
from config.services import hold_services
from config.settings import INSTANCE
from config.supervisor import Process, Supervisor, server_processes


class Command(BaseCommand):
    """Import, segment, send, unsubscribe, send again, verify, export; then keep the admin up until Ctrl-C."""

    help = "Shows Heed's main job on a year of purchases of 2,469 real households; then the admin stays up."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="end after the summary")
        parser.add_argument("--port", type=int, default=8000, help="port on 127.0.0.1 (default: %(default)s)")

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", verbosity=0, interactive=False)
        call_command("setup_roles")
        password = ensure_administrator()
        folder = INSTANCE.home / "demo"
        folder.mkdir(parents=True, exist_ok=True)
        sink = Sink(log=folder / "received.jsonl")
        address = sink.start()
        supervisor = Supervisor(_processes(options["port"], address), stream=sys.stderr, check=hold_services)
        try:
            supervisor.start()
            summary = self._tell(Story(folder=folder, sink=sink, say=self._say))
            self._say(f"Admin: http://127.0.0.1:{options['port']}/admin/ user admin, password "
                      + (password or "as printed by the first run"))  # fmt: skip
            self.stdout.write(json.dumps(summary))
            self.stdout.flush()
            if not options["once"]:
                supervisor.run_until_signal()
        finally:
            supervisor.stop()
            sink.stop()

    def _tell(self, story: Story) -> dict[str, Any]:
        try:
            story.prepare()
            first = story.campaign(FIRST)
            unsubscribed = story.unsubscribe_some(first=first)
            second = story.campaign(SECOND)
            return story.summary(first=first, second=second, unsubscribed=unsubscribed)
        except (DemoDataError, DemoError) as error:
            raise CommandError(str(error)) from error

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()


def _processes(port: int, smtp: str) -> list[Process]:
    """Web, worker and beat, sending to the demo's mail server and linking to the demo's web server."""
    env = {"EMAIL_URL": smtp, "HEED_BASE_URL": f"http://127.0.0.1:{port}"}
    return [Process(process.name, process.command, env=env, cwd=process.cwd) for process in server_processes(port=port)]
