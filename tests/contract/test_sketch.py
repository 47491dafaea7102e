"""The histogram through the extension keeps its error and its laws."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitcanary import _native

U64 = st.integers(min_value=0, max_value=2**64 - 1)
VALUES = st.lists(st.one_of(st.integers(0, 500), U64), max_size=80)


def sketch_of(values: list[int]) -> _native.Sketch:
    sketch = _native.Sketch()
    for value in values:
        sketch.insert(value)
    return sketch


def exact_bucket(value: int) -> int:
    """The bucket from its definition in whole numbers: 2^i < value^64 <= 2^(i+1)."""
    return (value**64 - 1).bit_length() - 1


@given(value=st.integers(min_value=1, max_value=2**64 - 1))
def test_buckets_follow_their_definition(value: int) -> None:
    bucket = _native.bucket_of(value)
    assert bucket == exact_bucket(value)
    assert _native.bucket_upper_bound(bucket) >= value
    assert _native.bucket_upper_bound(bucket) ** 64 <= 2 ** (bucket + 1)


@given(values=VALUES.filter(bool), percent=st.integers(0, 100))
def test_quantiles_are_near_the_order_statistic(values: list[int], percent: int) -> None:
    exact = sorted(values)[max(0, -(-percent * len(values) // 100) - 1)]
    found = sketch_of(values).quantile(percent / 100)
    assert found is not None
    assert math.isclose(found, exact, rel_tol=0.0055)


@given(left=VALUES, right=VALUES)
def test_merging_equals_one_pass(left: list[int], right: list[int]) -> None:
    merged = sketch_of(left)
    merged.merge(sketch_of(right))
    assert merged == sketch_of(left + right)
    assert merged.count == len(left) + len(right)
    assert merged.sum == sum(left) + sum(right)


@given(values=VALUES, threshold=U64)
def test_a_round_trip_keeps_everything(values: list[int], threshold: int) -> None:
    sketch = sketch_of(values)
    read = _native.Sketch.from_bytes(sketch.to_bytes())
    assert read == sketch
    assert sum(count for _, count in read.buckets) + read.zero_count == read.count
    bucket = _native.bucket_of(threshold)
    above = [value for value in values if value > _native.bucket_upper_bound(bucket)]
    assert read.count_above(bucket) == len(above)


@given(data=st.binary(max_size=60))
def test_arbitrary_bytes_are_refused_or_canonical(data: bytes) -> None:
    try:
        sketch = _native.Sketch.from_bytes(data)
    except ValueError:
        return
    assert sketch.to_bytes() == data


def test_a_sketch_merged_with_itself_doubles() -> None:
    sketch = sketch_of([1, 2, 3])
    sketch.merge(sketch.copy())
    assert (sketch.count, sketch.sum) == (6, 12)


def test_more_than_fits_is_refused() -> None:
    sketch = _native.Sketch()
    sketch.insert(1, 2**63 - 1)
    with pytest.raises(ValueError, match="more than"):
        sketch.insert(1)
    with pytest.raises(OverflowError):
        sketch.insert(-1)
