"""Rules about what may stand in the repository."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def tracked() -> list[str]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, text=True, capture_output=True, check=True)
    return listed.stdout.splitlines()


def test_no_lock_file_and_no_download_address() -> None:
    """`uv.lock` records where packages came from; so would index lines."""
    assert not [name for name in tracked() if Path(name).name in {"uv.lock", "package-lock.json"}]
    for name in ("requirements.txt", "pyproject.toml"):
        text = (ROOT / name).read_text()
        assert not re.search(r"--(extra-)?index-url|--find-links|\.whl|\.tar\.gz", text), name


def test_requirements_name_every_direct_dependency_with_hashes() -> None:
    pins = (ROOT / "requirements.txt").read_text()
    pyproject = (ROOT / "pyproject.toml").read_text()
    listed = pyproject.split("dependencies = [", 1)[1].split("\n]", 1)[0]
    for name in re.findall(r'"([a-z0-9-]+)', listed):
        assert re.search(rf"^{re.escape(name)}(\[[a-z,]+\])?==\S+ .*\\$", pins, re.M), name
    assert pins.count("--hash=sha256:") > pins.count("==")


def test_direct_dependencies_are_pinned_to_compatible_releases() -> None:
    pyproject = (ROOT / "pyproject.toml").read_text()
    for block in ("dependencies = [", "dev = ["):
        for line in pyproject.split(block, 1)[1].split("\n]", 1)[0].splitlines():
            if line.strip():
                assert "~=" in line, line


def test_mail_addresses_in_code_are_reserved_ones() -> None:
    """RFC 2606: only example.* domains, so that no test or demo can reach a person."""
    address = re.compile(r"[\w.+-]+@([\w-]+(?:\.[\w-]+)+)")
    for name in tracked():
        if not name.endswith((".py", ".html", ".csv")) or "/static/" in name:
            continue
        for domain in address.findall((ROOT / name).read_text().lower()):
            assert re.search(r"(^|\.)example\.(com|org|net)$|\.(localhost|example|test|invalid)$", domain), (
                name,
                domain,
            )
