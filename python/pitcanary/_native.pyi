"""What the Rust extension offers to Python.

Every name here is a thin face of the core crate; each raises ValueError, with a message
that holds no prompt or output text, for contents that the core refuses, and
OverflowError for integers that its fields cannot hold.
"""

from collections.abc import Mapping, Sequence
from typing import final

from pitcanary.sidecar.counters import SidecarCounters

__all__ = [
    "BUILT_IN_METRICS",
    "HASH_VERSION",
    "SLICE_COUNT",
    "SLOT_COUNT",
    "ArmCell",
    "Bundle",
    "CallRefused",
    "Evidence",
    "Fold",
    "Losses",
    "OutputSchema",
    "Ranges",
    "Sidecar",
    "Sketch",
    "Template",
    "Token",
    "Traffic",
    "bucket_of",
    "bucket_upper_bound",
    "event_mixture",
    "fold_paths",
    "interval_radius",
    "log_sample_ratio",
    "merge_bundles",
    "merge_evidence",
    "quantile_bucket",
    "render_plain",
    "slice_index",
    "slot",
    "store_snapshot",
    "student_t_ln_cdf",
    "t_mixture",
]

# Assignment

HASH_VERSION: int
"""Version of the hashed form; told to the controller in Hello."""

SLOT_COUNT: int
"""Slots of the ring: 1,000,000."""

SLICE_COUNT: int
"""Groups of units used for variance: 64."""

def slot(rollout_salt: str, unit_kind: str, unit: str) -> int:
    """The slot of a unit in a rollout, 0..999,999; the same in every language."""

def slice_index(namespace_salt: str, unit_kind: str, unit: str) -> int:
    """The slice of a unit in a namespace, 0..63; a unit keeps it for life."""

@final
class Ranges:
    """Disjoint half-open slot ranges, each given as `(start, end, arm)`.

    ValueError for a range that is empty, leaves the ring, or shares a slot.
    """

    def __new__(cls, ranges: Sequence[tuple[int, int, int]]) -> Ranges: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def arm(self, slot: int) -> int | None:
        """The arm that owns the slot; none when no range holds it."""
    def slots_of(self, arm: int) -> int:
        """The number of slots that the arm owns."""
    @property
    def ranges(self) -> list[tuple[int, int, int]]:
        """The ranges in ring order."""

# Histograms

@final
class Sketch:
    """A base-2 exponential histogram of whole numbers at scale 6.

    Quantiles are within 0.5416 % of the true order statistic. Equal contents are equal
    values and equal bytes, in whatever order they were merged.
    """

    def __new__(cls) -> Sketch: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    @staticmethod
    def from_bytes(data: bytes) -> Sketch:
        """Reads what `to_bytes` wrote; ValueError for anything else."""
    def to_bytes(self) -> bytes:
        """The compact form, as in `HistogramCell.histogram`."""
    def insert(self, value: int, count: int = 1) -> None:
        """Counts `count` observations of a value of 0..2^64-1."""
    def merge(self, other: Sketch) -> None:
        """Adds another sketch; ValueError on overflow changes nothing."""
    def copy(self) -> Sketch: ...
    def quantile(self, p: float) -> float | None:
        """The nearest-rank quantile; none when empty or when `p` is outside 0..1."""
    def count_above(self, bucket: int) -> int:
        """The number of observations above `bucket_upper_bound(bucket)`."""
    @property
    def count(self) -> int: ...
    @property
    def zero_count(self) -> int: ...
    @property
    def sum(self) -> int: ...
    @property
    def buckets(self) -> list[tuple[int, int]]:
        """`(bucket, count)` of the buckets above zero that hold observations."""

def bucket_of(value: int) -> int:
    """The bucket of a value; -2^31 for zero."""

def bucket_upper_bound(bucket: int) -> int:
    """The largest integer in a bucket."""

# Tokens

@final
class Token:
    """An assignment token whose authentication code is known to match."""

    @staticmethod
    def open(token: bytes | str, keys: Mapping[int, bytes], *, now_s: int, max_age_s: int) -> Token:
        """Authenticates a token, as bytes or base64url, with 32-byte keys by id.

        ValueError says whether it is malformed, forged, expired, from the future, or
        names an unknown key.
        """
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def to_bytes(self) -> bytes: ...
    @property
    def key_id(self) -> int: ...
    @property
    def rollout(self) -> int: ...
    @property
    def version(self) -> int: ...
    @property
    def origin_epoch(self) -> int: ...
    @property
    def serve_epoch(self) -> int: ...
    @property
    def arm(self) -> int: ...
    @property
    def slice_index(self) -> int: ...
    @property
    def segment_mask(self) -> int: ...
    @property
    def issued_s(self) -> int: ...
    @property
    def unit_tag(self) -> int: ...
    @property
    def nonce(self) -> bytes: ...
    @property
    def analysable(self) -> bool: ...
    @property
    def pinned(self) -> bool: ...
    @property
    def mixed(self) -> bool: ...
    @property
    def score_requested(self) -> bool: ...

# Output schemas

@final
class OutputSchema:
    """A JSON Schema (draft 7, 2019-09 or 2020-12) that passed the publish policy.

    ValueError names the rule that is broken: references stay inside the document,
    patterns are linear, size, depth and `$ref` expansion are bounded. `check_formats`
    checks `format` in every draft, not in draft 7 alone.
    """

    def __new__(cls, text: str, *, check_formats: bool = False) -> OutputSchema: ...
    def check(self, output: str) -> tuple[str, str | None]:
        """`valid`, `not_json`, `invalid` with its kind, or `validator_error`."""

# Templates

@final
class Template:
    """A compiled prompt in the `plain` or the `jinja` syntax; ValueError names the line."""

    def __new__(cls, source: str, syntax: str = "plain") -> Template: ...
    def render(self, variables: dict[str, object]) -> str:
        """Writes the prompt out; ValueError names a variable that is missing.

        Values are JSON (TypeError otherwise) and are never read as templates.
        """
    @property
    def variables(self) -> list[str]:
        """The names that the template may look up."""

def render_plain(source: str, variables: dict[str, object]) -> str:
    """Renders a plain template that is used once."""

# Statistical kernel: deterministic to the last bit on every platform; all logarithms are
# natural, and larger always means worse unless a name says `better`.

@final
class ArmCell:
    """Counts of one arm in one stratum of one metric, per slice.

    Entries are `(slice, n, sum)`. A rate's sums count events and need no squares.
    Raises ValueError for a slice of 64 or more, or one given twice.
    """

    def __new__(cls, slices: Sequence[tuple[int, int, int]], sum_squares: int = 0) -> ArmCell: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def merge(self, other: ArmCell) -> None:
        """Adds another share of the same cell; ValueError on overflow changes nothing."""
    @property
    def n(self) -> int: ...
    @property
    def slices(self) -> list[tuple[int, int, int]]: ...
    @property
    def sum_squares(self) -> int: ...

@final
class Evidence:
    """What the data say about one contrast. Values are in counted units."""

    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    @property
    def log_worse(self) -> float: ...
    @property
    def log_better(self) -> float: ...
    @property
    def estimate(self) -> float: ...
    @property
    def information(self) -> float: ...
    @property
    def variance_worse(self) -> float: ...
    @property
    def variance_better(self) -> float: ...
    @property
    def design_effect(self) -> float: ...
    @property
    def baseline_value(self) -> float: ...
    @property
    def candidate_value(self) -> float: ...
    @property
    def baseline_n(self) -> int: ...
    @property
    def candidate_n(self) -> int: ...
    @property
    def candidate_slices(self) -> int: ...
    @property
    def strata(self) -> int: ...
    @property
    def one_armed(self) -> int: ...
    @property
    def waiting(self) -> int: ...
    @property
    def started(self) -> bool: ...

@final
class Fold:
    """Accumulated state of one contrast.

    `family` is `rate` or `mean`, `harm` is `up` or `down`; the contrast is "candidate
    at most ratio × baseline + difference". A rate may have a `floor`, a mean a `worst`
    value. Raises ValueError for a contrast that no test can be made of.
    """

    def __new__(
        cls,
        family: str,
        harm: str,
        ratio: float,
        difference: float,
        *,
        floor: float | None = None,
        worst: float | None = None,
    ) -> Fold: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    @staticmethod
    def from_bytes(data: bytes) -> Fold:
        """Reads what `to_bytes` wrote; ValueError for anything else."""
    def to_bytes(self) -> bytes:
        """The whole state, bit for bit, with version and checksum."""
    @property
    def contrast(self) -> tuple[str, str, float, float, float | None, float | None]:
        """Family, harm, ratio, difference, floor and worst value."""
    def copy(self) -> Fold: ...
    def absorb(self, baseline: ArmCell, candidate: ArmCell) -> None:
        """Folds one sealed stratum; ValueError for cells that cannot be, changing nothing."""
    def evidence(self) -> Evidence: ...
    def interval(self, alpha: float) -> tuple[float, float, float]:
        """Estimate, low and high of candidate minus baseline; ValueError with a margin."""

def fold_paths(start: Fold, ticks: int, cells: bytes) -> bytes:
    """Runs many histories of `ticks` strata, each from a copy of `start`.

    `cells` holds little-endian i64 per path and tick: 64 × baseline n, candidate n,
    baseline sum, candidate sum, then both sums of squares. Returns f64 per path and
    tick: log_worse, log_better, estimate, information, design_effect.
    """

def t_mixture(t: float, information: float, rho: float, degrees: float, sides: int) -> float:
    """Log e-value of Engine T: one-sided with `sides` 1, else two-sided."""

def event_mixture(
    candidate: float,
    baseline: float,
    *,
    share: float,
    ratio: float,
    spread: float,
    points: int,
    design_effect: float = 1.0,
) -> float:
    """Log e-value of Engine R for one batch of events."""

def interval_radius(information: float, rho: float, degrees: float, alpha: float) -> float:
    """Standard errors that the two-sided interval reaches to each side."""

def student_t_ln_cdf(x: float, degrees: float) -> float:
    """Log of the distribution function of Student's t."""

def quantile_bucket(counts: Sequence[int], offset: int, quantile: float) -> int | None:
    """The bucket of a histogram that holds a quantile; none when it is empty."""

def log_sample_ratio(
    counts: Sequence[int], shares: Sequence[float], concentration: float
) -> float | None:
    """Log e-value against the expected split; none for shares that cannot be."""

# Evidence

BUILT_IN_METRICS: list[str]
"""Names of the metrics that traffic without a rollout is counted by, in order of their
numbers. Their cells are in rollout 0, generation 0, arm 0; the epoch is the version.
"""

@final
class Losses:
    """What is not in the evidence because it was refused or dropped on the way."""

    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    @property
    def rejected(self) -> dict[int, int]:
        """Refused reports by the number of their reject code."""
    @property
    def dropped_outcomes(self) -> int:
        """Outcomes for which a sidecar had no room."""
    @property
    def dropped_frames(self) -> int:
        """Frames for which a spool had no room."""
    @property
    def deduplication_evictions(self) -> int:
        """Reports forgotten before their token expired, which could count twice."""
    @property
    def foreign(self) -> int:
        """Outcomes whose rollout, arm or version no longer exists."""

@final
class Bundle:
    """Everything counted about any number of rollouts; opaque to all but the kernel."""

    def __new__(cls) -> Bundle: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    @staticmethod
    def from_bytes(data: bytes) -> Bundle:
        """Reads what `to_bytes` wrote."""
    @staticmethod
    def from_frame(frame: bytes) -> Bundle:
        """Reads the evidence of an encoded `Frame`."""
    def to_bytes(self) -> bytes: ...
    @staticmethod
    def merge(bundles: Sequence[Bundle]) -> Bundle:
        """Adds bundles up; the order does not matter. ValueError on overflow."""
    def split(self) -> dict[int, Bundle]:
        """One bundle per rollout; losses, which belong to none, come with rollout 0."""
    def is_empty(self) -> bool: ...
    @property
    def losses(self) -> Losses:
        """What was refused or dropped; `split` leaves it with rollout 0."""
    def comparisons(
        self, *, rollout: int, generation: int, metric: int, arm: int
    ) -> list[tuple[int, int, int, list[ArmCell], list[ArmCell]]]:
        """Epoch, threshold set, segment, and the columns of the baseline and of `arm`."""
    def traffic(self, rollout: int, generation: int) -> dict[tuple[int, int], tuple[int, int]]:
        """Exposures and outcomes by epoch and arm."""
    def unit_counts(self, rollout: int, generation: int) -> dict[tuple[int, int], tuple[int, int]]:
        """Units, and those seen in several arms, by epoch of first sight and arm."""
    def distribution(self, rollout: int, generation: int, metric: int, arm: int) -> dict[int, int]:
        """Observations per scale-6 bucket, over epochs and segments; ValueError on overflow."""
    def missing_counts(self, rollout: int, generation: int) -> dict[tuple[int, int, int], int]:
        """Observations that did not come, by arm, metric and number of the reason."""
    def exclusion_counts(self, rollout: int) -> dict[tuple[int, int], int]:
        """Answers outside the comparison, by arm and number of the reason."""
    def lasting(self) -> Bundle:
        """What is kept over seals: units, distributions, counts by reason."""

def merge_evidence(frames: Sequence[bytes]) -> dict[int, bytes]:
    """Merges encoded frames into the encoded evidence of each rollout."""

def merge_bundles(bundles: Sequence[bytes]) -> bytes:
    """Merges the encoded evidence of one rollout."""

# Traffic

@final
class Traffic:
    """Seeded requests to one prompt whose outcomes are drawn from a table per arm."""

    def __new__(
        cls,
        targets: Sequence[str],
        prompt: str,
        tables: Mapping[str, Sequence[bytes]],
        *,
        users: int,
        seed: int,
        activity_sigma: float = 0.0,
        concurrency: int = 32,
    ) -> Traffic: ...
    def run(
        self, first: int, count: int, *, per_second: float | None = None
    ) -> dict[str, tuple[int, int]]:
        """Sends requests `first` to `first + count`; requests and duplicates per arm.

        ConnectionError when a sidecar refuses.
        """

# Sidecar

class CallRefused(Exception):
    """Raised by `Sidecar.invoke` with the number of the gRPC status and its message."""

@final
class Sidecar:
    """The sidecar's Rust server on threads of its own, which never take the interpreter's lock.

    `listen` may be empty: then only `invoke` reaches it. Do not fork after `start`.
    """

    def __new__(
        cls,
        *,
        listen: Sequence[str],
        controller: str,
        data_dir: str,
        sidecar_id: str,
        namespace: str,
        environment: str,
        insecure_listen: Sequence[str] = ...,
        workers: int = 1,
        coalesce: bool = True,
        replay: bool = False,
    ) -> Sidecar: ...
    def start(self) -> None:
        """Starts it; it answers when this returns, if need be from disk.

        Raises ValueError for a setting, an address or a folder that cannot be used,
        OSError without threads, RuntimeError when it runs already.
        """
    @property
    def addresses(self) -> list[str]:
        """Where it listens, with the ports that the system chose."""
    def counters(self) -> SidecarCounters:
        """Everything counted so far."""
    def invoke(self, method: str, request: bytes) -> bytes:
        """Answers a call of `SidecarService` by name, with encoded messages.

        Other Python threads run meanwhile only when the request is above 4 KiB.

        Raises CallRefused as a socket would answer with a status.
        """
    def shutdown(self, drain_seconds: float) -> bool:
        """Stops accepting, finishes calls, uploads; False when that took too long."""

def store_snapshot(data_dir: str, snapshot: bytes) -> None:
    """Stores an encoded `Snapshot` as the last good one of a sidecar's data folder.

    A sidecar that starts there serves it until a controller has a newer one. Raises
    ValueError when no sidecar could serve it, or when the folder cannot be written.
    """
