//! The compact bytes of a sketch.
//!
//! `version 1 · zero count · sum · number of buckets · (gap to the previous bucket,
//! count)…`, all but the version as varints. Decoding needs memory bounded by the range
//! of `u64`, whatever the bytes say, and refuses contents no sketch could have.

use super::{MAX_BUCKET, MIN_BUCKET, Sketch, SketchError, bucket, checked_count, varint};

const VERSION: u8 = 1;

impl Sketch {
    /// The compact form; equal sketches give equal bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        varint::write(&mut out, u128::from(self.zero_count));
        varint::write(&mut out, self.sum.cast_unsigned());
        varint::write(&mut out, self.buckets().count() as u128);
        let mut next = MIN_BUCKET;
        for (bucket, count) in self.buckets() {
            varint::write(&mut out, u128::from(bucket.abs_diff(next)));
            varint::write(&mut out, u128::from(count));
            next = bucket + 1;
        }
        out
    }

    /// Reads the compact form.
    ///
    /// # Errors
    ///
    /// When the bytes are not exactly what [`Sketch::encode`] writes for some sketch.
    pub fn decode(bytes: &[u8]) -> Result<Self, SketchError> {
        let (version, mut rest) = bytes.split_first().ok_or(SketchError::Malformed)?;
        if *version != VERSION {
            return Err(SketchError::Version(*version));
        }
        let zero_count = read(&mut rest)?;
        let sum = varint::read(&mut rest).ok_or(SketchError::Malformed)?;
        let mut sketch = Self::new();
        sketch.count = checked_count(0, zero_count)?;
        sketch.zero_count = zero_count;
        let bounds = sketch.read_buckets(&mut rest)?;
        sketch.sum = i128::try_from(sum).map_err(|_| SketchError::Sum)?;
        if !bounds.contains(&sketch.sum) {
            return Err(SketchError::Sum);
        }
        match rest.len() {
            0 => Ok(sketch),
            trailing => Err(SketchError::Trailing(trailing)),
        }
    }

    /// Reads the buckets and returns the smallest and the largest sum they allow.
    fn read_buckets(
        &mut self,
        rest: &mut &[u8],
    ) -> Result<std::ops::RangeInclusive<i128>, SketchError> {
        let (mut least, mut most) = (0, 0);
        let mut next = i64::from(MIN_BUCKET);
        for _ in 0..read(rest)? {
            let gap = i64::try_from(read(rest)?).map_err(|_| SketchError::Bucket)?;
            let bucket = next
                .checked_add(gap)
                .and_then(|bucket| i32::try_from(bucket).ok())
                .filter(|bucket| *bucket <= MAX_BUCKET)
                .ok_or(SketchError::Bucket)?;
            let count = read(rest)?;
            let (low, high) = (bucket::lower_bound(bucket), bucket::upper_bound(bucket));
            if count == 0 || low > high {
                return Err(SketchError::Bucket);
            }
            self.count = checked_count(self.count, count)?;
            self.add(bucket, count);
            // At most MAX_COUNT × u64::MAX, which is below i128::MAX.
            least += i128::from(low) * i128::from(count);
            most += i128::from(high) * i128::from(count);
            next = i64::from(bucket) + 1;
        }
        Ok(least..=most)
    }
}

fn read(rest: &mut &[u8]) -> Result<u64, SketchError> {
    varint::read(rest)
        .and_then(|number| u64::try_from(number).ok())
        .ok_or(SketchError::Malformed)
}
