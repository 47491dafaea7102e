//! The mapping between whole numbers and buckets at scale 6.
//!
//! Bucket `i` covers (2^(i/64), 2^((i+1)/64)], as in OpenTelemetry's base-2 exponential
//! histogram. The exponent comes from the leading bit and the rest from a table of
//! exact boundaries, so every platform agrees to the last value; no logarithm is taken.

/// The scale of the histogram: 2^6 buckets for every doubling.
pub const SCALE: u32 = 6;

/// The bucket of the value zero; it sorts below every other.
pub const ZERO_BUCKET: i32 = i32::MIN;

/// The lowest bucket above zero, which holds only the value 1.
pub const MIN_BUCKET: i32 = -1;

/// The highest bucket, which holds `u64::MAX`.
pub const MAX_BUCKET: i32 = 64 * BUCKETS_PER_DOUBLING - 1;

const BUCKETS_PER_DOUBLING: i32 = 1 << SCALE;

/// ⌊2^(63 + j/64)⌋ for j in 0..64: the largest 64-bit significand at or below each
/// boundary, so comparing integers with it is exact. A test proves every entry.
const BOUNDARIES: [u64; 64] = [
    0x8000_0000_0000_0000,
    0x8164_d1f3_bc03_0773,
    0x82cd_8698_ac2b_a1d7,
    0x843a_28c3_acde_4046,
    0x85aa_c367_cc48_7b14,
    0x871f_6196_9e8d_1010,
    0x8898_0e80_92da_8527,
    0x8a14_d575_496e_fd9a,
    0x8b95_c1e3_ea8b_d6e6,
    0x8d1a_df5b_7e5b_a9e5,
    0x8ea4_398b_45cd_53c0,
    0x9031_dc43_1466_b1dc,
    0x91c3_d373_ab11_c336,
    0x935a_2b2f_13e6_e92b,
    0x94f4_efa8_fef7_0961,
    0x9694_2d37_2018_5a00,
    0x9837_f051_8db8_a96f,
    0x99e0_4593_20b7_fa64,
    0x9b8d_39b9_d54e_5538,
    0x9d3e_d9a7_2cff_b750,
    0x9ef5_3260_91a1_11ad,
    0xa0b0_510f_b971_4fc2,
    0xa270_4303_0c49_6818,
    0xa435_15ae_09e6_809e,
    0xa5fe_d6a9_b151_38ea,
    0xa7cd_93b4_e965_3569,
    0xa9a1_5ab4_ea7c_0ef8,
    0xab7a_39b5_a93e_d337,
    0xad58_3eea_42a1_4ac6,
    0xaf3b_78ad_690a_4374,
    0xb123_f581_d2ac_258f,
    0xb311_c412_a911_2489,
    0xb504_f333_f9de_6484,
    0xb6fd_91e3_28d1_7791,
    0xb8fb_af47_62fb_9ee9,
    0xbaff_5ab2_133e_45fb,
    0xbd08_a39f_580c_36be,
    0xbf17_99b6_7a73_1082,
    0xc12c_4cca_6670_9456,
    0xc346_ccda_2497_6407,
    0xc567_2a11_5506_dadd,
    0xc78d_74c8_abb9_b15c,
    0xc9b9_bd86_6e2f_27a2,
    0xcbec_14fe_f272_7c5c,
    0xce24_8c15_1f84_80e3,
    0xd063_33da_ef2b_2594,
    0xd2a8_1d91_f12a_e45a,
    0xd4f3_5aab_cfed_fa1f,
    0xd744_fcca_d69d_6af4,
    0xd99d_15c2_78af_d7b5,
    0xdbfb_b797_daf2_3755,
    0xde60_f482_5e0e_9123,
    0xe0cc_deec_2a94_e111,
    0xe33f_8972_be8a_5a51,
    0xe5b9_06e7_7c83_48a8,
    0xe839_6a50_3c4b_dc68,
    0xeac0_c6e7_dd24_392e,
    0xed4f_301e_d994_2b84,
    0xefe4_b99b_dcda_f5cb,
    0xf281_773c_59ff_b139,
    0xf525_7d15_2486_cc2c,
    0xf7d0_df73_0ad1_3bb8,
    0xfa83_b2db_722a_033a,
    0xfd3e_0c0c_f486_c174,
];

/// [`BOUNDARIES`] and the end of the doubling, which no significand is above.
const LIMITS: [u64; 65] = {
    let mut limits = [u64::MAX; 65];
    let mut index = 0;
    while index < BOUNDARIES.len() {
        limits[index] = BOUNDARIES[index];
        index += 1;
    }
    limits
};

/// How many boundaries lie below each 128th of a doubling. A cell is narrower than the
/// narrowest bucket, so it holds at most one boundary and one comparison settles it.
const BELOW: [u8; 128] = {
    let mut below = [0; 128];
    let mut cell = 0;
    while cell < below.len() {
        let start = (1 << 63) | ((cell as u64) << 56);
        let mut count = 0;
        while count < BOUNDARIES.len() && BOUNDARIES[count] < start {
            count += 1;
            below[cell] += 1;
        }
        cell += 1;
    }
    below
};

/// The bucket of a value; [`ZERO_BUCKET`] for zero.
///
/// ```
/// use pitcanary_core::sketch::{bucket, lower_bound, upper_bound};
///
/// let index = bucket(1_000);
/// assert!(lower_bound(index) <= 1_000 && 1_000 <= upper_bound(index));
/// ```
pub fn bucket(value: u64) -> i32 {
    if value == 0 {
        return ZERO_BUCKET;
    }
    let shift = value.leading_zeros();
    let significand = value << shift;
    let below = BELOW[(significand >> 56) as usize & 0x7f];
    let inside = i32::from(below) + i32::from(significand > LIMITS[usize::from(below)]);
    (63 - shift.cast_signed()) * BUCKETS_PER_DOUBLING + inside - 1
}

/// The largest integer at or below the upper boundary of a bucket.
///
/// Defined for any number: 0 for [`ZERO_BUCKET`] and below [`MIN_BUCKET`], `u64::MAX`
/// from [`MAX_BUCKET`] on. In a bucket without integers it is that of the one before.
pub fn upper_bound(bucket: i32) -> u64 {
    let boundary = i64::from(bucket) + 1;
    let (exponent, inside) = (boundary >> SCALE, boundary & 0x3f);
    match (u32::try_from(exponent), usize::try_from(inside)) {
        (Ok(exponent @ 0..=63), Ok(inside)) => BOUNDARIES[inside] >> (63 - exponent),
        (Ok(_), _) => u64::MAX,
        (Err(_), _) => 0,
    }
}

/// The smallest integer in a bucket; above [`upper_bound`] when the bucket has none.
pub fn lower_bound(bucket: i32) -> u64 {
    if bucket == ZERO_BUCKET {
        return 0;
    }
    upper_bound(bucket - 1).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Multiplies numbers held as little-endian 32-bit limbs.
    fn multiply(left: &[u64], right: &[u64]) -> Vec<u64> {
        let mut product = vec![0; left.len() + right.len()];
        for (i, a) in left.iter().enumerate() {
            let mut carry = 0;
            for (j, b) in right.iter().enumerate() {
                let sum = product[i + j] + a * b + carry;
                product[i + j] = sum & 0xffff_ffff;
                carry = sum >> 32;
            }
            product[i + right.len()] = carry;
        }
        product
    }

    /// Tells whether value^64 ≤ 2^exponent, in whole numbers.
    fn power_fits(value: u64, exponent: usize) -> bool {
        let mut power = vec![value & 0xffff_ffff, value >> 32];
        for _ in 0..6 {
            power = multiply(&power, &power);
        }
        let top = power.iter().rposition(|limb| *limb > 0).unwrap_or(0);
        let bits = top * 32 + power[top].checked_ilog2().unwrap_or(0) as usize;
        let exact = power[top].is_power_of_two() && power[..top].iter().all(|limb| *limb == 0);
        bits < exponent || (bits == exponent && exact)
    }

    #[test]
    fn every_boundary_is_exact() {
        for (j, boundary) in BOUNDARIES.into_iter().enumerate() {
            let exponent = 64 * 63 + j;
            assert!(power_fits(boundary, exponent), "{j} is too high");
            assert!(!power_fits(boundary + 1, exponent), "{j} is too low");
        }
    }

    #[test]
    fn a_cell_holds_at_most_one_boundary() {
        for pair in BELOW.windows(2) {
            assert!(pair[1] - pair[0] <= 1);
        }
    }

    #[test]
    fn the_ends_of_the_range() {
        assert_eq!(bucket(0), ZERO_BUCKET);
        assert_eq!(bucket(1), MIN_BUCKET);
        assert_eq!(bucket(2), BUCKETS_PER_DOUBLING - 1);
        assert_eq!(bucket(3), BUCKETS_PER_DOUBLING + 37);
        assert_eq!(bucket(u64::MAX), MAX_BUCKET);
        assert_eq!((lower_bound(MIN_BUCKET), upper_bound(MIN_BUCKET)), (1, 1));
        assert_eq!((lower_bound(ZERO_BUCKET), upper_bound(ZERO_BUCKET)), (0, 0));
        assert_eq!(upper_bound(MAX_BUCKET), u64::MAX);
        assert_eq!(upper_bound(i32::MAX), u64::MAX);
        assert_eq!(upper_bound(-2), 0);
    }

    #[test]
    fn both_sides_of_every_boundary_are_in_their_bucket() {
        for index in MIN_BUCKET..=MAX_BUCKET {
            let (low, high) = (lower_bound(index), upper_bound(index));
            if low <= high {
                assert_eq!((bucket(low), bucket(high)), (index, index));
            }
        }
    }

    proptest! {
        #[test]
        fn a_value_lies_within_its_bucket(value: u64, shift in 0..64_u32) {
            let value = value >> shift;
            let index = bucket(value);
            prop_assert!((lower_bound(index)..=upper_bound(index)).contains(&value));
        }

        #[test]
        fn buckets_follow_the_order_of_values(left: u64, right: u64, shift in 0..64_u32) {
            let (left, right) = (left >> shift, right >> shift);
            prop_assert!(bucket(left.min(right)) <= bucket(left.max(right)));
        }
    }
}
