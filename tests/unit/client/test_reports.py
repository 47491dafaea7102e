"""Reports are bounded and every one of them is counted, from any thread."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from pitcanary.client.reports import PendingReports, ReportCounts


def test_beyond_the_limit_reports_are_dropped_and_counted() -> None:
    pending = PendingReports(2)
    assert [pending.begin() for _ in range(3)] == [True, True, False]
    assert pending.counts == ReportCounts(accepted=0, failed=0, dropped=1, pending=2)
    pending.end(accepted=True)
    assert pending.begin()
    pending.end(accepted=False)
    assert pending.counts == ReportCounts(accepted=1, failed=1, dropped=1, pending=1)


@given(st.integers(0, 3), st.lists(st.sampled_from(["begin", "accepted", "failed"])))
def test_every_report_is_in_exactly_one_count(limit: int, steps: list[str]) -> None:
    pending, begun = PendingReports(limit), 0
    for step in steps:
        if step == "begin":
            begun += 1
            pending.begin()
        elif pending.counts.pending:
            pending.end(accepted=step == "accepted")
        counts = pending.counts
        assert counts.accepted + counts.failed + counts.dropped + counts.pending == begun
        assert 0 <= counts.pending <= limit


def test_threads_never_pass_the_limit_and_lose_no_count() -> None:
    pending, limit, threads, each = PendingReports(3), 3, 8, 2_000
    together = threading.Barrier(threads)

    def work() -> int:
        together.wait()
        highest = 0
        for _ in range(each):
            if pending.begin():
                highest = max(highest, pending.counts.pending)
                pending.end(accepted=True)
        return highest

    with ThreadPoolExecutor(threads) as pool:
        highest = max(future.result() for future in [pool.submit(work) for _ in range(threads)])
    counts = pending.counts
    assert highest <= limit
    assert counts.accepted + counts.dropped == threads * each
    assert counts.pending == 0


def test_a_waiter_is_woken_by_the_last_report() -> None:
    pending = PendingReports(2)
    pending.begin()
    pending.begin()
    assert not pending.wait(0)
    with ThreadPoolExecutor(1) as pool:
        waiter = pool.submit(pending.wait, 60)
        pending.end(accepted=True)
        pending.end(accepted=False)
        assert waiter.result()


def test_nothing_under_way_is_no_wait() -> None:
    assert PendingReports(1).wait(0)
