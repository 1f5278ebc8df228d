"""The demo as a newcomer runs it: real data, real beat, worker, web and SMTP server, twice."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def run_demo(home: Path, port: int) -> tuple[dict[str, Any], str]:
    """Run `manage.py demo --once` on an installation of its own; returns the summary and all of the output."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("HEED_", "DATABASE_", "BROKER_", "EMAIL_", "CACHE_", "DJANGO_"))
    }
    result = subprocess.run(
        [sys.executable, "manage.py", "demo", "--once", "--port", str(port)],
        env=inherited | {"HEED_HOME": str(home)}, cwd=ROOT, text=True, capture_output=True, check=False, timeout=400,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-6000:]
    return json.loads(result.stdout.splitlines()[-1]), result.stdout


@pytest.fixture
def home() -> Iterator[Path]:
    """A data folder that the servers' user can reach, which pytest's own folders of root are not."""
    parent = Path(tempfile.mkdtemp(prefix="heed-demo-"))
    parent.chmod(0o711)
    yield parent / "data"
    deadline = time.monotonic() + 30
    while parent.exists():  # the servers stop a moment after the last process that used them
        shutil.rmtree(parent, ignore_errors=True)
        assert time.monotonic() < deadline, f"{parent} cannot be removed"
        time.sleep(0.1)


@pytest.mark.processes
def test_demo_shows_the_whole_path_and_repeats_without_sending_again(home: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    first, _ = run_demo(home, port)
    assert first["profiles"] == 2469
    assert first["events"] == 1_469_307
    assert first["sent"] == first["smtp_received"] == first["planned"] > 1000
    assert first["unsubscribed"] == 25
    assert first["second_run_to_unsubscribed"] == 0
    assert first["excluded"]["consent_withdrawn"] >= 25
    assert {"no_consent", "consent_expired", "suppressed"} <= set(first["excluded"])
    assert first["audit_verified"] is True
    assert {path.name for path in Path(first["export_dir"]).iterdir()} >= {"manifest.json", "consents.csv"}

    second, output = run_demo(home, port)
    unchanged = ("profiles", "events", "segments", "planned", "sent", "smtp_received", "excluded", "unsubscribed")
    assert {name: second[name] for name in unchanged} == {name: first[name] for name in unchanged}
    assert second["audit_verified"] is True
    assert "nothing is sent again" in output
