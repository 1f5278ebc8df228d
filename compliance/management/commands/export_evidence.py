"""`manage.py export_evidence`: the kit that an auditor verifies offline."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from tqdm import tqdm

from compliance.management.moments import read_moment
from compliance.services import evidence
from compliance.services.exports import ExportError


class Command(BaseCommand):
    """Write consents, notices, audit leaves, checkpoints, proofs, public key and verify.py into a folder."""

    help = "Writes what an auditor needs to check consents and audit log of a range of time: python3 verify.py DIR."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--out", required=True, type=Path, help="folder to write")
        parser.add_argument("--from", dest="start", help="recorded at or after this ISO 8601 time")
        parser.add_argument("--to", dest="end", help="recorded before this ISO 8601 time, which lies in the past")
        parser.add_argument("--seed", default=evidence.SEED, help="of the sample, any text (default: %(default)s)")
        parser.add_argument(
            "--sample", type=int, default=evidence.SAMPLE, help="leaves with an inclusion path (default: %(default)s)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        with tqdm(desc="leaves", unit="leaf", unit_scale=True, file=sys.stderr) as bar:

            def progress(done: int, total: int) -> None:
                bar.total = total
                bar.update(done - bar.n)

            try:
                summary = evidence.export_evidence(
                    out=options["out"],
                    start=read_moment("--from", options["start"]),
                    end=read_moment("--to", options["end"]),
                    actor="command:export_evidence",
                    now=timezone.now(),
                    seed=options["seed"],
                    sample=options["sample"],
                    progress=progress,
                )
            except ExportError as error:
                raise CommandError(str(error)) from error
        self.stdout.write(
            f"{summary.leaves} leaves, {summary.checkpoints} checkpoints, {summary.records} consent records in "
            f"{options['out']}; check them with: python3 {options['out'] / 'verify.py'} {options['out']}"
        )
        self.stdout.write(f"SHA-256 of manifest.json: {summary.manifest_sha256}")
