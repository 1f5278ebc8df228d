"""E-mail end to end by real workers into `smtp-sink`, between the raw limit before and after, and django-post-office.

Workers, beat and broker run as in production. The clock runs from the first message that was taken until every batch
is done and recorded; starting the processes and planning are not part of it.
"""

from datetime import datetime
from pathlib import Path
from statistics import mean
from typing import Any

from django.db.models import Min
from django.utils import timezone

from campaigns.models import Batch, Delivery, Run, SendingChannel
from campaigns.services import runs
from campaigns.states import BatchState, DeliveryState
from segments.models import Segment
from tests.benchmarks.dispatch_suite import content, office, prepared, raw_mail, sink
from tests.benchmarks.segment_suite import memory
from tests.benchmarks.segment_suite.stage import execute, say
from tests.journeys.processes import Broker, Processes, wait_for

WORKERS = 2  # processes, on each side
BATCH_SIZE = 500
OFFICE_AT_MOST = 10_000  # messages by django-post-office
STARTING, NEVER_LONGER = 300, 1_800  # seconds
KEYS = (
    "smtp_messages_per_s", "smtp_share_of_raw", "smtp_times_post_office", "smtp_raw_messages_per_s",
    "smtp_post_office_messages_per_s", "worker_peak_mb", "worker_peak_quarter_mb",
)  # fmt: skip


def measure(listed: Segment, quarter: Segment, *, folder: Path) -> dict[str, Any]:
    """Messages per second of all sides; the largest worker process after all messages and after a quarter of them."""
    command = sink.program()
    if command is None:
        say("e-mail: SKIPPED, for smtp-sink is not installed (Debian: apt-get install postfix)")
        return dict.fromkeys(KEYS)
    messages = folder / "messages"
    with sink.running(command) as port:
        _, small_peak = _by_heed(quarter, port, folder)
        run = _planned(listed, "full")
        prepared.store(run, messages)
        before = _raw(run.planned, port, messages)
        heed, peak = _send(run, port, folder)
        after = _raw(run.planned, port, messages)
        count = min(run.planned, OFFICE_AT_MOST)
        theirs = office.messages_per_s(port=port, file=messages, count=count, processes=WORKERS)
        say(f"django-post-office: {theirs:,.0f} messages/s")
    raw = mean([before, after])
    return dict(zip(KEYS, (heed, heed / raw, heed / theirs, raw, theirs, peak, small_peak), strict=True))


def _by_heed(listed: Segment, port: int, folder: Path) -> tuple[float, float]:
    return _send(_planned(listed, "quarter"), port, folder)


def _planned(listed: Segment, key: str) -> Run:
    channel = content.make_channel(key=f"mail-{key}", batch_size=BATCH_SIZE)
    run = content.launch(listed, at=timezone.now(), channel=channel)
    runs.plan(run=run, now=timezone.now(), actor="benchmark")
    execute("VACUUM ANALYZE campaigns_delivery")
    return run


def _send(run: Run, port: int, folder: Path) -> tuple[float, float]:
    """Let fresh workers send the run; messages per second and the peak of the largest worker process, in MiB."""
    broker = Broker()
    try:
        with Processes(broker=broker, email_url=f"smtp://127.0.0.1:{port}", log=folder / "workers.log") as processes:
            worker = processes.worker()
            processes.beat()
            wait_for("the worker", lambda: len(memory.children(worker.pid)) >= WORKERS, seconds=STARTING)
            SendingChannel.objects.filter(campaigns__runs=run).update(is_active=True)
            wait_for("all messages", lambda: _is_done(run), seconds=NEVER_LONGER)
            ended = timezone.now()
            peak = max(memory.peak_of(pid) for pid in memory.children(worker.pid))
    finally:
        broker.stop()
    rate = _rate(run, ended)
    say(f"Heed: {run.planned:,} messages, {rate:,.0f}/s, largest worker process {peak:.0f} MB")
    return rate, peak


def _is_done(run: Run) -> bool:
    return not Batch.objects.filter(run=run).exclude(state=BatchState.DONE).exists()


def _rate(run: Run, ended: datetime) -> float:
    sent = Delivery.objects.filter(run=run.pk, state=DeliveryState.SENT)
    count, first = sent.count(), sent.aggregate(first=Min("sent_at"))["first"]
    if count != run.planned:
        raise RuntimeError(f"{count} of {run.planned} messages were sent")
    return count / (ended - first).total_seconds()


def _raw(count: int, port: int, messages: Path) -> float:
    rate = raw_mail.messages_per_s(port=port, file=messages, count=count, processes=WORKERS)
    say(f"raw: {rate:,.0f} messages/s")
    return rate
