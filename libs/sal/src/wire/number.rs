//! Numbers as printed by `%f` and `%d`, read eight digits at a time if their shape allows it. Given the bytes
//! from the start of a number, each function returns the value and its length.
//!
//! Most numbers are `%f`: a few digits, a point, six digits. Such a number is an integer divided by 10⁶; as
//! both fit a `double` exactly, one division gives the correctly rounded result (Clinger's fast path). All
//! others go to `fast-float2`. Either way the result is bit for bit the nearest `double`, or for `float` the
//! nearest `float` of the text, without double rounding.

/// `float` or `double`.
pub(crate) trait Real: Copy {
    /// The nearest number of this kind to `exact`/10⁶, or `None` if the fast path cannot decide. `exact` is
    /// an integer.
    fn of_millionths(exact: f64) -> Option<Self>;
    fn signed(self, is_negative: bool) -> Self;
    /// The nearest number of this kind. Finite text can give an infinity.
    fn of_text(text: &[u8]) -> Option<Self>;
}

impl Real for f64 {
    #[inline(always)]
    fn of_millionths(exact: f64) -> Option<Self> {
        Some(exact / 1e6)
    }

    #[inline(always)]
    fn signed(self, is_negative: bool) -> Self {
        Self::from_bits(self.to_bits() | u64::from(is_negative) << 63)
    }

    fn of_text(text: &[u8]) -> Option<Self> {
        fast_float2::parse(text).ok()
    }
}

impl Real for f32 {
    /// A product is faster than a quotient and within two units in the last place of a `double` (10⁻⁶ and the
    /// product are rounded once each). That matters only if the result is that close to the midpoint of two
    /// floats.
    #[inline(always)]
    fn of_millionths(exact: f64) -> Option<Self> {
        let value = exact * 1e-6;
        let beyond_float = value.to_bits() & 0x1fff_ffff;
        let is_near_middle = beyond_float.wrapping_sub(0x1000_0000 - 4) <= 8;
        (!is_near_middle).then_some(value as f32)
    }

    #[inline(always)]
    fn signed(self, is_negative: bool) -> Self {
        Self::from_bits(self.to_bits() | u32::from(is_negative) << 31)
    }

    fn of_text(text: &[u8]) -> Option<Self> {
        fast_float2::parse(text).ok()
    }
}

/// A number and its length in bytes; `None` if there is no number. Finite text can give an infinity.
#[inline(always)]
pub(crate) fn real<R: Real>(text: &[u8]) -> Option<(R, usize)> {
    if let Some(fixed) = fixed(text)
        && !continues(fixed.follows as u8)
        && let Some(value) = R::of_millionths(fixed.exact)
    {
        return Some((value.signed(fixed.is_negative), fixed.len));
    }
    other::<R>(text)
}

/// The first numbers of an array, at most `most`, handed to `write` one by one, as long as they have the
/// fixed shape and `, ` and another number follow. Returns their number and the text after the last
/// separator.
#[inline(always)]
pub(crate) fn reals<R: Real>(mut text: &[u8], max_items: u32, mut write: impl FnMut(R)) -> (u32, &[u8]) {
    let mut found = 0;
    while found < max_items
        && let Some(fixed) = fixed(text)
        && fixed.follows == u16::from_le_bytes(*b", ")
        && let Some(value) = R::of_millionths(fixed.exact)
        && let Some(rest) = text.get(fixed.len + 2..)
    {
        write(value.signed(fixed.is_negative));
        text = rest;
        found += 1;
    }
    (found, text)
}

/// Timestamps and rare shapes.
#[inline(never)]
fn other<R: Real>(text: &[u8]) -> Option<(R, usize)> {
    if let Some(fixed) = fixed_long(text)
        && !continues(fixed.follows as u8)
        && let Some(value) = R::of_millionths(fixed.exact)
    {
        return Some((value.signed(fixed.is_negative), fixed.len));
    }
    let len = general(text)?;
    Some((R::of_text(text.get(..len)?)?, len))
}

/// A number of the fixed shape: sign, digits, a point, six digits.
struct Fixed {
    is_negative: bool,
    /// The absolute value in millionths, exactly.
    exact: f64,
    len: usize,
    /// The two bytes after the number, little-endian. If one is a digit or an exponent, the shape is
    /// different.
    follows: u16,
}

/// Longer than the longest number of the fixed shape and what follows it.
const WINDOW: usize = 24;

/// The number at the start of the text, if it has one to seven digits, a point and six digits, and the text
/// is a bit longer.
///
/// The position of the point is found with a branch: it is usually the same, so the processor predicts it and
/// starts on the next number before the length of this one is known. The sign is effectively random, so it is
/// computed without a branch.
#[inline(always)]
fn fixed(text: &[u8]) -> Option<Fixed> {
    // One length check for everything that is read here.
    let window = text.first_chunk::<WINDOW>()?;
    let sign = usize::from(window[0] == b'-');
    if window[sign + 2] == b'.' {
        fixed_with(2, window, sign)
    } else if window[sign + 1] == b'.' {
        fixed_with(1, window, sign)
    } else if window[sign + 3] == b'.' {
        fixed_with(3, window, sign)
    } else {
        let len = leading_digits(eight_bytes(window, sign));
        if !(4..8).contains(&len) || window[sign + len] != b'.' {
            return None;
        }
        fixed_with(len, window, sign)
    }
}

/// The same with this many bytes before a point that is known to be there.
#[inline(always)]
fn fixed_with(whole_len: usize, window: &[u8; WINDOW], sign: usize) -> Option<Fixed> {
    const ZEROS: u64 = 0x3030_3030_3030_3030;
    // The digits, moved up to the highest byte and preceded by zeros.
    let whole = eight_bytes(window, sign) << (64 - 8 * whole_len) | ZEROS >> (8 * whole_len);
    let tail = eight_bytes(window, sign + whole_len + 1);
    let millionths = if whole_len <= 2 {
        // Two digits and six make eight.
        let digits = whole >> 48 | tail << 16;
        if beyond_digits(digits) != 0 {
            return None;
        }
        eight_digits(digits)
    } else {
        let six = tail << 16 | ZEROS >> 48;
        if beyond_digits(whole) | beyond_digits(six) != 0 {
            return None;
        }
        eight_digits(whole) * 1_000_000 + eight_digits(six)
    };
    Some(Fixed {
        is_negative: sign == 1,
        exact: as_double(millionths),
        len: sign + whole_len + 7,
        follows: (tail >> 48) as u16,
    })
}

/// The same with eight to ten digits before the point: times in seconds since 1970 have ten.
fn fixed_long(text: &[u8]) -> Option<Fixed> {
    let window = text.first_chunk::<WINDOW>()?;
    let is_negative = window[0] == b'-';
    let sign = usize::from(is_negative);
    let (first, second) = (eight_bytes(window, sign), eight_bytes(window, sign + 8));
    let more = leading_digits(second);
    if leading_digits(first) != 8 || more > 2 || (second >> (8 * more)) as u8 != b'.' {
        return None;
    }
    let lowest = match more {
        0 => 0,
        _ => eight_digits(second << (64 - 8 * more)),
    };
    let whole = eight_digits(first) * [1, 10, 100][more] + lowest;
    let tail = eight_bytes(window, sign + 9 + more);
    let millionths = whole * 1_000_000 + eight_digits(tail << 16);
    (are_six_digits(tail) && millionths < EXACT).then(|| Fixed {
        is_negative,
        exact: as_double(millionths),
        len: sign + 8 + more + 7,
        follows: (tail >> 48) as u16,
    })
}

/// Integers below this are exact as `double`; [`as_double`] converts them.
const EXACT: u64 = 1 << 52;

/// Converts an integer below [`EXACT`] by placing it into the mantissa of 2⁵² and subtracting 2⁵². The
/// processor's own conversion instruction depends on the previous contents of its register, which in a loop
/// is the previous number.
#[inline(always)]
fn as_double(integer: u64) -> f64 {
    const MANTISSA: f64 = EXACT as f64;
    f64::from_bits(MANTISSA.to_bits() | integer) - MANTISSA
}

/// Whether the byte after the digits is a digit or an exponent.
#[inline(always)]
fn continues(byte: u8) -> bool {
    byte.is_ascii_digit() || byte | 0x20 == b'e'
}

/// Little-endian.
#[inline(always)]
fn eight_bytes<const N: usize>(window: &[u8; N], at: usize) -> u64 {
    match window.get(at..).and_then(|rest| rest.first_chunk()) {
        Some(bytes) => u64::from_le_bytes(*bytes),
        None => 0,
    }
}

/// The high bit of each byte that is not a digit; reliable up to the lowest of them.
#[inline(always)]
fn beyond_digits(bytes: u64) -> u64 {
    let values = bytes ^ 0x3030_3030_3030_3030;
    // A byte up to 9 stays below 0x80. The carry of a larger byte only affects higher bytes.
    (values.wrapping_add(0x7676_7676_7676_7676) | values) & 0x8080_8080_8080_8080
}

/// The number of digits among eight bytes, from the lowest byte up to the first that is not a digit.
#[inline(always)]
fn leading_digits(bytes: u64) -> usize {
    (beyond_digits(bytes).trailing_zeros() / 8) as usize
}

#[inline(always)]
fn are_six_digits(bytes: u64) -> bool {
    beyond_digits(bytes) & 0xffff_ffff_ffff == 0
}

/// The value of eight ASCII digits, the first in the lowest byte: neighbours are combined in pairs, three
/// times. A zero byte counts as the digit 0.
#[inline(always)]
fn eight_digits(bytes: u64) -> u64 {
    let ones = bytes & 0x0f0f_0f0f_0f0f_0f0f;
    let twos = (ones.wrapping_mul(1 + (10 << 8)) >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = (twos.wrapping_mul(1 + (100 << 16)) >> 16) & 0x0000_ffff_0000_ffff;
    fours.wrapping_mul(1 + (10_000 << 32)) >> 32
}

/// The length of any number that C prints: `-?(digits[.digits][e[+-]digits] | nan | inf)`.
fn general(text: &[u8]) -> Option<usize> {
    let sign = usize::from(text.first() == Some(&b'-'));
    let unsigned = text.get(sign..)?;
    if unsigned.starts_with(b"nan") || unsigned.starts_with(b"inf") {
        return Some(sign + 3);
    }
    let whole = digits(unsigned);
    if whole == 0 {
        return None;
    }
    let mut len = sign + whole;
    if text.get(len) == Some(&b'.') {
        let fraction = digits(text.get(len + 1..)?);
        if fraction == 0 {
            return None;
        }
        len += 1 + fraction;
    }
    if matches!(text.get(len), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(text.get(len + 1), Some(b'+' | b'-')));
        let exponent = digits(text.get(len + 1 + sign..)?);
        if exponent == 0 {
            return None;
        }
        len += 1 + sign + exponent;
    }
    Some(len)
}

fn digits(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// An integer and its length in bytes; the value is `None` if 64 bits cannot hold it, the result is `None` if
/// there is no integer.
#[inline(always)]
pub(crate) fn integer(text: &[u8]) -> Option<(Option<i64>, usize)> {
    if let Some(window) = text.first_chunk::<9>() {
        let is_negative = window[0] == b'-';
        let sign = usize::from(is_negative);
        let digits = eight_bytes(window, sign);
        let len = leading_digits(digits);
        if len != 0 && len != 8 {
            let value = eight_digits(digits << (64 - 8 * len)) as i64;
            return Some((Some(if is_negative { -value } else { value }), sign + len));
        }
    }
    integer_of_any_length(text)
}

#[inline(never)]
fn integer_of_any_length(text: &[u8]) -> Option<(Option<i64>, usize)> {
    let is_negative = text.first() == Some(&b'-');
    let unsigned = text.get(usize::from(is_negative)..)?;
    let len = digits(unsigned);
    if len == 0 {
        return None;
    }
    // Counts down from zero, so that `i64::MIN` fits too.
    let below_zero = unsigned.iter().take(len).try_fold(0i64, |value, byte| {
        value.checked_mul(10)?.checked_sub(i64::from(byte - b'0'))
    });
    let value = if is_negative {
        below_zero
    } else {
        below_zero.and_then(i64::checked_neg)
    };
    Some((value, usize::from(is_negative) + len))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn same(text: &str) {
        let padded = format!("{text} , 1)");
        for input in [text.as_bytes(), padded.as_bytes()] {
            let (value, len) = real::<f64>(input).unwrap();
            assert_eq!(len, text.len(), "{text}");
            assert_eq!(value.to_bits(), text.parse::<f64>().unwrap().to_bits(), "{text}");
            let (value, len) = real::<f32>(input).unwrap();
            assert_eq!(len, text.len(), "{text}");
            assert_eq!(value.to_bits(), text.parse::<f32>().unwrap().to_bits(), "{text}");
        }
    }

    #[test]
    fn numbers_of_every_shape_are_rounded_once_and_correctly() {
        for text in [
            "0.000000",
            "-0.000000",
            "22.624901",
            "1547758756.335189",
            "9007199254.740993",
            "9007199254740993.000000",
            "0.1",
            "7",
            "-7",
            "123456789.125",
            "0.0000005",
            "16777217.000000",
            "16777216.999999",
            // Between two floats: rounding by way of a double would pick the even neighbour.
            "0.000000000000000000000000000000000000000000000701",
            "8388608.500000",
            "8388609.500000",
            "10000000000000000000000.000000",
            "1e22",
            "1.5E-3",
        ] {
            same(text);
        }
        same(&format!("{:.6}", f64::MAX));
        same(&format!("{:.6}", f64::MIN));
        same(&format!("{:.6}", f32::MAX));
    }

    #[test]
    fn nan_and_infinities_are_numbers() {
        assert!(real::<f64>(b"nan , 1)").unwrap().0.is_nan());
        assert!(real::<f32>(b"-nan").unwrap().0.is_nan());
        assert_eq!(real::<f64>(b"inf)"), Some((f64::INFINITY, 3)));
        assert_eq!(real::<f32>(b"-inf)"), Some((f32::NEG_INFINITY, 4)));
    }

    #[test]
    fn text_that_is_not_a_number_is_refused() {
        for text in [
            "", "-", ".", ".5", "+1", "x", "NaN", "Inf", "1.", "1.x", "1e", "1e+", "--1", "'1'", " 1",
        ] {
            assert_eq!(real::<f64>(text.as_bytes()), None, "{text}");
            assert_eq!(real::<f32>(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn integers_cover_the_whole_range_of_64_bits() {
        assert_eq!(integer(b"-9223372036854775808)"), Some((Some(i64::MIN), 20)));
        assert_eq!(integer(b"9223372036854775807"), Some((Some(i64::MAX), 19)));
        assert_eq!(integer(b"9223372036854775808"), Some((None, 19)));
        assert_eq!(integer(b"-9223372036854775809 "), Some((None, 20)));
        assert_eq!(integer(b"99999999999999999999999999"), Some((None, 26)));
        assert_eq!(integer(b"-0"), Some((Some(0), 2)));
        assert_eq!(integer(b"007"), Some((Some(7), 3)));
        for text in ["", "-", "+1", "x", " 1"] {
            assert_eq!(integer(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_double_as_printed_is_read_correctly_rounded(bits: u64) {
            let value = f64::from_bits(bits);
            if value.is_finite() {
                same(&format!("{value:.6}"));
            }
        }

        #[test]
        fn every_float_as_printed_is_read_correctly_rounded(bits: u32) {
            let value = f32::from_bits(bits);
            if value.is_finite() {
                same(&format!("{value:.6}"));
            }
        }

        #[test]
        fn numbers_of_the_fixed_shape_are_read_correctly_rounded(
            negative: bool, whole in 0u64..100_000_000_000, six in 0u32..1_000_000
        ) {
            same(&format!("{}{whole}.{six:06}", if negative { "-" } else { "" }));
        }

        #[test]
        fn numbers_near_the_midpoint_of_two_floats_are_rounded_once(bits in 0u32..0x7f00_0000, more in 0usize..3) {
            // The exact midpoint of two neighbouring floats, and a little more.
            let low = f64::from(f32::from_bits(bits));
            let high = f64::from(f32::from_bits(bits + 1));
            let mut text = format!("{:.160}", (low + high) / 2.0);
            text.push_str(["", "0", "1"][more]);
            same(&text);
        }

        #[test]
        fn numbers_of_the_fixed_shape_near_the_midpoint_of_two_floats_are_rounded_once(
            mantissa in 1u64 << 23..1 << 24, bits in 1u32..=6, more in 0u64..3, negative: bool
        ) {
            // The midpoint of two floats that six decimals express exactly, and one millionth away from it.
            let millionths = (((2 * mantissa + 1) * 1_000_000) >> bits) + more - 1;
            let sign = if negative { "-" } else { "" };
            same(&format!("{sign}{}.{:06}", millionths / 1_000_000, millionths % 1_000_000));
        }

        #[test]
        fn an_array_is_read_like_its_numbers_one_by_one(
            values in prop::collection::vec((-1e6f64..1e6, 0usize..30), 1..40), most in 0u32..40
        ) {
            // Most have the fixed shape; some do not.
            let texts: Vec<String> = values
                .iter()
                .map(|(value, shape)| match shape {
                    0 => format!("{value:e}"),
                    1 => format!("{value:.7}"),
                    2 => format!("{:.6}", value * 100.0),
                    _ => format!("{value:.6}"),
                })
                .collect();
            let text = format!("{} , 1)", texts.join(", "));
            let mut read = Vec::new();
            let (found, rest) = reals::<f32>(text.as_bytes(), most, |value| read.push(value));
            prop_assert_eq!(read.len(), found as usize);
            prop_assert!(found <= most);
            let expected: Vec<u32> = texts.iter().take(read.len()).map(|text| text.parse::<f32>().unwrap().to_bits()).collect();
            prop_assert_eq!(read.iter().map(|value| value.to_bits()).collect::<Vec<_>>(), expected);
            let behind: usize = texts.iter().take(read.len()).map(|text| text.len() + 2).sum();
            prop_assert_eq!(rest, &text.as_bytes()[behind..]);
        }

        #[test]
        fn arbitrary_text_never_panics_and_never_reads_past_a_number(text in "[-+0-9.eEnaif]{0,12}") {
            if let Some((value, len)) = real::<f64>(text.as_bytes()) {
                let parsed: f64 = text[..len].parse().unwrap();
                prop_assert_eq!(value.is_nan(), parsed.is_nan());
                prop_assert!(value.is_nan() || value == parsed);
            }
            if let Some((Some(value), len)) = integer(text.as_bytes()) {
                prop_assert_eq!(value, text[..len].parse::<i64>().unwrap());
            }
        }
    }
}
