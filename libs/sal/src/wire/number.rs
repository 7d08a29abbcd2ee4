//! Numbers as `%f` and `%d` print them, read eight digits at a time where their shape allows it.
//! Leaf of the grammar: given the bytes from a number's start on, each function gives its value and its length.
//!
//! Most numbers are `%f`: a few digits, a point, six digits. Such a number is an integer over 10⁶; as both fit a
//! `double` exactly, one division gives the correctly rounded result (Clinger's fast path). All others go to
//! `fast-float2`. Either way the result is, bit for bit, the nearest `double`, and for `float` the nearest `float`
//! of the text, without rounding twice.

/// The digits after the point that `%f` prints.
const SCALE: f64 = 1e6;
/// Integers up to here are exact as `double`.
const EXACT: u64 = 1 << 53;

/// A `double` and how many bytes it took; none if there is no number. Finite text may give an infinity.
#[inline]
pub(crate) fn double(text: &[u8]) -> Option<(f64, usize)> {
    if let Some((negative, scaled, len)) = fixed(text) {
        let value = scaled as f64 / SCALE;
        return Some((if negative { -value } else { value }, len));
    }
    let len = general(text)?;
    Some((fast_float2::parse(text.get(..len)?).ok()?, len))
}

/// A `float` and how many bytes it took, see [`double`].
#[inline]
pub(crate) fn float(text: &[u8]) -> Option<(f32, usize)> {
    if let Some((negative, scaled, len)) = fixed(text) {
        let value = scaled as f64 / SCALE;
        // Half-way between two floats as a double, the digits cut off by that division decide.
        if value.to_bits() & 0x1fff_ffff != 0x1000_0000 {
            let value = value as f32;
            return Some((if negative { -value } else { value }, len));
        }
    }
    let len = general(text)?;
    Some((fast_float2::parse(text.get(..len)?).ok()?, len))
}

/// The fixed shape: sign, 1 to 9 digits, a point, six digits, and no further digit; as an integer of millionths.
#[inline]
fn fixed(text: &[u8]) -> Option<(bool, u64, usize)> {
    let negative = text.first() == Some(&b'-');
    let digits = text.get(usize::from(negative)..)?;
    let mut whole = 0u64;
    let mut at = 0;
    while at < 10 {
        let digit = digits.get(at)?.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        whole = whole * 10 + u64::from(digit);
        at += 1;
    }
    if at == 0 || digits.get(at) != Some(&b'.') {
        return None;
    }
    // The point, six digits and what follows: eight bytes.
    let tail: [u8; 8] = digits.get(at..at + 8)?.try_into().ok()?;
    let six = six_digits(tail)?;
    let scaled = whole * 1_000_000 + six;
    let follows = tail[7];
    if follows.is_ascii_digit() || follows == b'e' || follows == b'E' || scaled > EXACT {
        return None;
    }
    Some((negative, scaled, usize::from(negative) + at + 7))
}

/// The digits 1 to 6 of eight bytes.
#[inline]
fn six_digits(tail: [u8; 8]) -> Option<u64> {
    // The first byte of memory is the lowest: `tail >> 8` drops the point, `<< 16` then drops what follows the six
    // digits and puts two zero digits before them.
    let digits = ((u64::from_le_bytes(tail) >> 8) << 16) & 0xffff_ffff_ffff_0000;
    let digits = digits | 0x3030;
    if !all_digits(digits) {
        return None;
    }
    Some(eight_digits(digits))
}

/// Whether each of eight bytes is an ASCII digit.
#[inline]
fn all_digits(bytes: u64) -> bool {
    let high = bytes & 0xf0f0_f0f0_f0f0_f0f0;
    let carry = (bytes.wrapping_add(0x0606_0606_0606_0606) & 0xf0f0_f0f0_f0f0_f0f0) >> 4;
    (high | carry) == 0x3333_3333_3333_3333
}

/// The value of eight ASCII digits, the first in the lowest byte: neighbours are added in pairs, three times.
#[inline]
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

/// An integer and how many bytes it took; no value when 64 bits cannot hold it, nothing if there is no integer.
#[inline]
pub(crate) fn integer(text: &[u8]) -> Option<(Option<i64>, usize)> {
    let negative = text.first() == Some(&b'-');
    let unsigned = text.get(usize::from(negative)..)?;
    let mut value = 0i64;
    let mut fits = true;
    let mut len = 0;
    for byte in unsigned {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        // Counted down from zero, so that the least integer fits too.
        match value
            .checked_mul(10)
            .and_then(|tens| tens.checked_sub(i64::from(digit)))
        {
            Some(next) => value = next,
            None => fits = false,
        }
        len += 1;
    }
    if len == 0 {
        return None;
    }
    let value = if negative {
        Some(value)
    } else {
        value.checked_neg()
    };
    Some((value.filter(|_| fits), usize::from(negative) + len))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn same(text: &str) {
        let padded = format!("{text} , 1)");
        for input in [text.as_bytes(), padded.as_bytes()] {
            let (value, len) = double(input).unwrap();
            assert_eq!(len, text.len(), "{text}");
            assert_eq!(value.to_bits(), text.parse::<f64>().unwrap().to_bits(), "{text}");
            let (value, len) = float(input).unwrap();
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
            // Between two floats: rounding through double would go to the even neighbour.
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
        assert!(double(b"nan , 1)").unwrap().0.is_nan());
        assert!(float(b"-nan").unwrap().0.is_nan());
        assert_eq!(double(b"inf)"), Some((f64::INFINITY, 3)));
        assert_eq!(float(b"-inf)"), Some((f32::NEG_INFINITY, 4)));
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in [
            "", "-", ".", ".5", "+1", "x", "NaN", "Inf", "1.", "1.x", "1e", "1e+", "--1", "'1'", " 1",
        ] {
            assert_eq!(double(text.as_bytes()), None, "{text}");
            assert_eq!(float(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn integers_reach_from_the_least_to_the_greatest() {
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
        fn numbers_next_to_a_half_of_two_floats_are_rounded_once(bits in 0u32..0x7f00_0000, more in 0usize..3) {
            // The exact middle of two neighbouring floats, and a little more.
            let low = f64::from(f32::from_bits(bits));
            let high = f64::from(f32::from_bits(bits + 1));
            let mut text = format!("{:.160}", (low + high) / 2.0);
            text.push_str(["", "0", "1"][more]);
            same(&text);
        }

        #[test]
        fn arbitrary_text_never_panics_and_never_reads_past_a_number(text in "[-+0-9.eEnaif]{0,12}") {
            if let Some((value, len)) = double(text.as_bytes()) {
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
