"""`manage.py audit verify` and `manage.py audit seal`."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from tqdm import tqdm

from compliance.selectors import audit as selectors
from compliance.services import audit as services


class Command(BaseCommand):
    """Check or seal the audit log; the exit code of `verify` is 0 only when nothing is wrong."""

    help = "verify: recompute the audit log and compare every checkpoint. seal: make a checkpoint now."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=["verify", "seal"])

    def handle(self, *args: Any, **options: Any) -> None:
        if options["action"] == "seal":
            checkpoint = services.seal(now=timezone.now())
            self.stdout.write(checkpoint.note if checkpoint else "nothing new to seal")
            return
        with tqdm(desc="leaves", unit="leaf", unit_scale=True, file=sys.stderr) as bar:

            def progress(done: int, total: int) -> None:
                bar.total = total
                bar.update(done - bar.n)

            report = selectors.verify(progress=progress)
        self.stdout.write(
            f"{report.leaves} leaves, {report.sealed} sealed, {report.unsealed} waiting for the next checkpoint, "
            f"{report.checkpoints} checkpoints"
        )
        if not report.ok:
            raise CommandError(report.first_problem)
        self.stdout.write("the audit log is whole")
