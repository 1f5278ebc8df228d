"""The benchmark of dispatch: `python -m tests.benchmarks.dispatch --deliveries 1000000`.

Everything in one run in a database of its own on the installation's server: planning beside hand-written SQL, claiming
beside bare statements, and e-mail end to end beside what the mail server takes at most and beside django-post-office.
Planning takes all deliveries, sending `--messages` of them. Progress goes to standard error. The last line of standard
output is one JSON object; `_ratio_` is seconds of Heed to seconds of the other, `_share_` and `_times_` are messages or
rows per second of Heed to those of the other. What could not be measured is null.
"""

import argparse
import json
import os
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
SMOKE = 400
CLAIMED_AT_MOST = 20_000


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures planning and sending at a size of your choice.")
    parser.add_argument("--deliveries", type=int, default=1_000_000, help="deliveries planned (default: %(default)s)")
    parser.add_argument(
        "--messages", type=int, default=50_000, help="deliveries that are sent, at most (default: %(default)s)"
    )
    parser.add_argument("--smoke", action="store_true", help="a tiny size, to see that everything still runs")
    options = parser.parse_args()
    if options.smoke:
        options.deliveries = SMOKE
    from config.services import hold_services

    hold_services()
    import django

    django.setup()
    from tests.benchmarks.segment_suite import stage

    with tempfile.TemporaryDirectory() as folder, stage.database():
        report = _run(options.deliveries, min(options.deliveries, options.messages), Path(folder))
    print(json.dumps(report))


def _run(deliveries: int, messages: int, folder: Path) -> dict[str, Any]:
    from tests.benchmarks.dispatch_suite import claiming, gateway, mailing, planning, population
    from tests.benchmarks.segment_suite import stage

    now = datetime.now(UTC)
    at = (now.replace(day=1) + timedelta(days=34)).replace(day=3, hour=4, minute=0, second=0, microsecond=0)
    made = stage.timed(lambda: population.make(deliveries, readable=messages, now=now))
    population.make_earlier_messages(at=at)
    population.make_caps()
    everybody, some, quarter, claimed = (
        population.make_list(key, people, now=now)
        for key, people in (
            ("everybody", deliveries), ("some", messages), ("quarter", messages // 4),
            ("claimed", min(messages, CLAIMED_AT_MOST)),
        )
    )  # fmt: skip
    stage.execute("VACUUM ANALYZE")
    stage.say(f"{deliveries:,} people made in {made:.0f} s")
    planned = planning.measure(everybody, at=at, now=now)
    population.widen_caps()
    mailed = mailing.measure(some, quarter, folder=folder)
    return {
        "deliveries": deliveries, "messages": messages, "made_s": made, **planned, **mailed, **gateway.measure(),
        **claiming.measure(claimed),
    }  # fmt: skip


if __name__ == "__main__":
    main()
