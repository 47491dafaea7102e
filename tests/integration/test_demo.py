"""The main job as a newcomer sees it: both endings, explained, within two minutes."""

from __future__ import annotations

import subprocess
import sys

import orjson
import pytest


@pytest.mark.timeout(200)
def test_the_demo_takes_the_bad_one_back_and_promotes_the_good_one() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pitcanary", "demo", "--json"],
        capture_output=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()[-2_000:]
    harmful, good = orjson.loads(done.stdout.splitlines()[-1])["rollouts"]
    assert harmful["ending"] == "rolled_back"
    assert harmful["max_candidate_share"] <= 0.05
    assert good["ending"] == "promoted"
    assert good["max_candidate_share"] == 1.0
