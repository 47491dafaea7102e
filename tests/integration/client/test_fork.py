"""A forked child talks to the sidecar on a channel of its own."""

from __future__ import annotations

import subprocess
import sys

from tests.integration.client.fleet import PROMPT, Sidecar

# In a process of its own: the test runner's threads must not be forked.
PROGRAM = """
import os, sys, threading
from pitcanary import Client

target, prompt = sys.argv[1:]
client = Client(target, resolve_deadline=30.0, report_deadline=30.0)

def use():
    with client.use(prompt, unit=f"user-{os.getpid()}"):
        pass
    assert client.flush(30.0)

use()
# A report that is under way and a lock that is held at the fork must not stop the child.
resolved = client.resolve(prompt)
pending = client._pending.get()
assert pending.begin()
held, forked = threading.Event(), threading.Event()

def hold():
    with pending._changed:
        held.set()
        forked.wait()

holder = threading.Thread(target=hold)
holder.start()
held.wait()
children = []
for _ in range(3):
    child = os.fork()
    if child == 0:
        status = 1
        try:
            assert client.reports.accepted == client.reports.pending == 0
            use()
            assert client.reports.accepted == 1
            client.close()
            status = 0
        finally:
            os._exit(status)
    children.append(child)
forked.set()
holder.join()
pending.end(accepted=False)
use()
statuses = [os.waitpid(child, 0)[1] for child in children]
use()
assert statuses == [0, 0, 0], statuses
assert (client.reports.accepted, client.reports.failed) == (3, 1)
client.close()
"""


def test_children_and_parent_all_work(sidecar: Sidecar) -> None:
    before = sidecar.outcomes()
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, sidecar.unix, PROMPT],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert sidecar.outcomes() - before == 6
