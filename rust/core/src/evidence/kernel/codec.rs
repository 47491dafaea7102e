//! A fold as bytes: exact bits, a version, a checksum.
//!
//! Little-endian throughout. Bytes of another version or with any damage are
//! refused, never repaired: the sealed cells are there to fold again.

use super::cell::Moments;
use super::contrast::{Contrast, Family, Harm, Margin};
use super::error::KernelError;
use super::fold::{Fold, Sums, Tuning};

const MAGIC: &[u8; 4] = b"pcf\x02";

impl Fold {
    /// The whole state, bit for bit.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Writer(MAGIC.to_vec());
        out.contrast(&self.contrast);
        out.numbers(&self.deviation);
        out.numbers(&self.share);
        out.numbers(&self.baseline_own);
        out.numbers(&sums_to_array(&self.sums));
        out.numbers(&self.worse);
        out.numbers(&self.better);
        out.moments(self.past_baseline);
        out.moments(self.past_candidate);
        for count in self.counters() {
            out.0.extend(count.to_le_bytes());
        }
        out.optional(self.tuning.better_spread);
        out.optional(self.tuning.taus.map(|(worse, _)| worse));
        out.optional(self.tuning.taus.map(|(_, better)| better));
        let checksum = crc32fast::hash(&out.0);
        out.0.extend(checksum.to_le_bytes());
        out.0
    }

    /// Reads what [`Fold::to_bytes`] wrote.
    ///
    /// # Errors
    ///
    /// [`KernelError::Bytes`] for anything else; never panics.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KernelError> {
        let (body, checksum) = bytes.split_last_chunk::<4>().ok_or(TOO_SHORT)?;
        let body_after_magic = body
            .strip_prefix(MAGIC)
            .ok_or(KernelError::Bytes("unknown version"))?;
        if crc32fast::hash(body) != u32::from_le_bytes(*checksum) {
            return Err(KernelError::Bytes("checksum differs"));
        }
        let mut input = Reader(body_after_magic);
        let mut fold = Self::new(input.contrast()?);
        fold.deviation = input.numbers()?;
        fold.share = input.numbers()?;
        fold.baseline_own = input.numbers()?;
        fold.sums = sums_from_array(input.numbers()?);
        fold.worse = input.numbers()?;
        fold.better = input.numbers()?;
        fold.past_baseline = input.moments()?;
        fold.past_candidate = input.moments()?;
        fold.baseline_n = input.count()?;
        fold.candidate_n = input.count()?;
        fold.candidate_slices = input.count()?;
        fold.strata = input.count()?;
        fold.one_armed = input.count()?;
        fold.waiting = input.count()?;
        let better_spread = input.optional()?;
        fold.tuning = Tuning {
            better_spread,
            taus: input.optional()?.zip(input.optional()?),
        };
        if input.0.is_empty() {
            Ok(fold)
        } else {
            Err(KernelError::Bytes("too long"))
        }
    }

    fn counters(&self) -> [u64; 6] {
        [
            self.baseline_n,
            self.candidate_n,
            self.candidate_slices,
            self.strata,
            self.one_armed,
            self.waiting,
        ]
    }
}

const TOO_SHORT: KernelError = KernelError::Bytes("too short");

fn sums_to_array(sums: &Sums) -> [f64; 9] {
    [
        sums.deviation,
        sums.weight,
        sums.floor,
        sums.free,
        sums.candidate,
        sums.baseline,
        sums.candidate_share,
        sums.baseline_floor,
        sums.magnitude,
    ]
}

fn sums_from_array(values: [f64; 9]) -> Sums {
    let [
        deviation,
        weight,
        floor,
        free,
        candidate,
        baseline,
        candidate_share,
        baseline_floor,
        magnitude,
    ] = values;
    Sums {
        deviation,
        weight,
        floor,
        free,
        candidate,
        baseline,
        candidate_share,
        baseline_floor,
        magnitude,
    }
}

struct Writer(Vec<u8>);

impl Writer {
    fn numbers(&mut self, values: &[f64]) {
        for value in values {
            self.0.extend(value.to_bits().to_le_bytes());
        }
    }

    fn optional(&mut self, value: Option<f64>) {
        self.0.push(u8::from(value.is_some()));
        self.numbers(&[value.unwrap_or(0.0)]);
    }

    fn moments(&mut self, moments: Moments) {
        self.0.extend(moments.n.to_le_bytes());
        self.0.extend(moments.sum.to_le_bytes());
        self.0.extend(moments.sum_squares.to_le_bytes());
    }

    fn contrast(&mut self, contrast: &Contrast) {
        self.0.push(u8::from(contrast.family == Family::Mean));
        self.0.push(u8::from(contrast.harm == Harm::Down));
        self.numbers(&[contrast.margin.ratio, contrast.margin.difference]);
        self.optional(contrast.floor);
        self.optional(contrast.worst);
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const LENGTH: usize>(&mut self) -> Result<[u8; LENGTH], KernelError> {
        let (head, rest) = self.0.split_first_chunk::<LENGTH>().ok_or(TOO_SHORT)?;
        self.0 = rest;
        Ok(*head)
    }

    fn number(&mut self) -> Result<f64, KernelError> {
        let value = f64::from_bits(u64::from_le_bytes(self.take()?));
        if value.is_finite() {
            Ok(value)
        } else {
            Err(KernelError::Bytes("a number is not finite"))
        }
    }

    fn numbers<const LENGTH: usize>(&mut self) -> Result<[f64; LENGTH], KernelError> {
        let mut values = [0.0; LENGTH];
        for value in &mut values {
            *value = self.number()?;
        }
        Ok(values)
    }

    fn count(&mut self) -> Result<u64, KernelError> {
        Ok(u64::from_le_bytes(self.take()?))
    }

    fn flag(&mut self) -> Result<bool, KernelError> {
        match self.take::<1>()? {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err(KernelError::Bytes("a flag is neither 0 nor 1")),
        }
    }

    fn optional(&mut self) -> Result<Option<f64>, KernelError> {
        let present = self.flag()?;
        let value = self.number()?;
        Ok(present.then_some(value))
    }

    fn moments(&mut self) -> Result<Moments, KernelError> {
        let n = self.count()?;
        let sum = i128::from_le_bytes(self.take()?);
        Ok(Moments {
            n,
            sum,
            sum_squares: i128::from_le_bytes(self.take()?),
        })
    }

    fn contrast(&mut self) -> Result<Contrast, KernelError> {
        let family = if self.flag()? {
            Family::Mean
        } else {
            Family::Rate
        };
        let harm = if self.flag()? { Harm::Down } else { Harm::Up };
        let [ratio, difference] = self.numbers()?;
        let mut contrast = Contrast::new(family, harm, Margin { ratio, difference })?;
        if let Some(floor) = self.optional()? {
            contrast = contrast.with_floor(floor)?;
        }
        if let Some(worst) = self.optional()? {
            contrast = contrast.with_worst(worst)?;
        }
        Ok(contrast)
    }
}
