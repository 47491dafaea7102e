"""A value per process: shared by threads, never by a forked child."""

from __future__ import annotations

import itertools
import os
import threading
from concurrent.futures import ThreadPoolExecutor

from pitcanary.client.per_process import PerProcess


def test_threads_that_race_get_the_same_value() -> None:
    threads = 8
    together, numbers = threading.Barrier(threads), itertools.count()

    def make() -> int:
        together.wait()  # every thread makes one before any has stored its own
        return next(numbers)

    values = PerProcess(make)
    with ThreadPoolExecutor(threads) as pool:
        seen = {future.result() for future in [pool.submit(values.get) for _ in range(threads)]}
    assert len(seen) == 1


def test_a_forgotten_value_is_made_again() -> None:
    numbers = itertools.count()
    values = PerProcess(lambda: next(numbers))
    assert values.take() is None
    assert (values.get(), values.get(), values.take(), values.get()) == (0, 0, 0, 1)


def test_a_child_makes_its_own() -> None:
    values = PerProcess(os.getpid)
    assert values.get() == os.getpid()
    child = os.fork()
    if child == 0:
        os._exit(0 if values.get() == os.getpid() else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert values.get() == os.getpid()
