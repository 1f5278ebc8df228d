"""django-post-office with the same template, people and headers, in the same database.

`python -m tests.benchmarks.dispatch_suite.office FILE COUNT PROCESSES` queues and sends, and prints JSON: messages sent
and seconds. Only the sending is timed; messages are rendered at delivery, as Heed does.
"""

import json
import logging
import sys
import time
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from tests.benchmarks.dispatch_suite import prepared

CHUNK = 1_000
SENDER = "The shop <shop@example.com>"


def messages_per_s(*, port: int, file: Path, count: int, processes: int) -> float:
    """What django-post-office brings into the sink with so many processes."""
    from tests.journeys.processes import database_url

    office = prepared.start(
        "office", file, count, processes, DATABASE_URL=database_url(), EMAIL_URL=f"smtp://127.0.0.1:{port}",
        DJANGO_SETTINGS_MODULE="tests.benchmarks.dispatch_suite.office_settings",
    )  # fmt: skip
    written, _ = office.communicate()
    if office.returncode:
        raise RuntimeError(f"django-post-office ended with {office.returncode}")
    result = json.loads(written.splitlines()[-1])
    if result["sent"] != count:
        raise RuntimeError(f"django-post-office sent {result['sent']} of {count}")
    return count / float(result["seconds"])


def main(file: Path, count: int, processes: int) -> None:
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection
    from post_office.mail import send_queued_mail_until_done
    from post_office.models import STATUS, Email

    logging.getLogger("post_office").setLevel(logging.WARNING)
    call_command("migrate", "post_office", verbosity=0)
    _queue(prepared.load(file), count)
    started = time.perf_counter()
    send_queued_mail_until_done(file.with_suffix(".lock"), processes)
    seconds = time.perf_counter() - started
    connection.close()
    print(json.dumps({"sent": Email.objects.filter(status=STATUS.sent).count(), "seconds": seconds}))


def _queue(messages: Any, count: int) -> None:
    """The HTML with its CSS inlined already, which Heed does once for a template."""
    from post_office import mail
    from post_office.models import Email, EmailTemplate

    from campaigns.inlining import inline_css
    from tests.benchmarks.dispatch_suite.content import HTML, SUBJECT, TEXT

    Email.objects.all().delete()
    parts = {"subject": SUBJECT, "content": TEXT, "html_content": inline_css(HTML)}
    template, _ = EmailTemplate.objects.get_or_create(name="newsletter", defaults=parts)
    waiting = islice(cycle(messages), count)
    while chunk := list(islice(waiting, CHUNK)):
        mail.send_many([_message(one, template) for one in chunk])
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE post_office_email")


def _message(one: prepared.Prepared, template: Any) -> dict[str, Any]:
    headers = {
        "List-Unsubscribe": f"<{one.unsubscribe_url}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }  # fmt: skip
    return {
        "recipients": [one.address], "sender": SENDER, "template": template, "context": one.context, "headers": headers,
        "render_on_delivery": True,
    }  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
