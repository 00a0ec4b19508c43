"""A machine that is gone tells nobody: the kernel finds out, long before an attempt would end."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

NAMESPACE = ["unshare", "--net"] + (["--user", "--map-root-user"] if os.geteuid() else [])


def _possible() -> bool:
    if shutil.which("ip") is None or shutil.which("unshare") is None:
        return False
    command = [*NAMESPACE, "ip", "link", "set", "lo", "up"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not _possible(), reason="needs ip(8) and a network namespace of its own")
@pytest.mark.parametrize("way", ["pooled", "plain", "waiting"])
def test_an_attempt_ends_soon_after_the_partners_machine_is_gone(way: str) -> None:
    command = [*NAMESPACE, sys.executable, "-m", "tests.integration.vanishing", way]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "ETIMEDOUT", "the kernel's word, not the attempt's own clock"
