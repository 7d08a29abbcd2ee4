//! Decimals: an unscaled integer in two's complement, most significant byte first, and a scale (Avro
//! specification, "Decimal").

use std::cmp::Ordering;

use crate::schema::Decimal;

/// Longer ones are shown as bytes: the time to format them grows with the square of the length.
const MAX_BYTES: usize = 512;
const MAX_DIGITS: usize = 1_240;

const GROUP: u32 = 1_000_000_000;

/// The decimal text of the number; `None` if it has more digits than the schema's precision.
pub(super) fn text(bytes: &[u8], of: Decimal) -> Option<String> {
    if bytes.is_empty() || bytes.len() > MAX_BYTES {
        return None;
    }
    let is_negative = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
    let mut rest = bytes.to_vec();
    if is_negative {
        negate(&mut rest);
    }
    let mut groups = Vec::new();
    while rest.iter().any(|byte| *byte != 0) {
        let mut remainder = 0u64;
        for byte in &mut rest {
            let value = remainder << 8 | u64::from(*byte);
            // Both fit: the remainder is less than the divisor.
            *byte = (value / u64::from(GROUP)) as u8;
            remainder = value % u64::from(GROUP);
        }
        groups.push(remainder);
    }
    let digits: String = groups.iter().rev().map(|group| format!("{group:09}")).collect();
    let digits = digits.trim_start_matches('0');
    if digits.len() > of.precision {
        return None;
    }
    // At least one digit before the point.
    let digits = format!("{digits:0>width$}", width = of.scale.min(MAX_DIGITS) + 1);
    let (whole, fraction) = digits.split_at_checked(digits.len().checked_sub(of.scale)?)?;
    let sign = if is_negative { "-" } else { "" };
    Some(match fraction {
        "" => format!("{sign}{whole}"),
        fraction => format!("{sign}{whole}.{fraction}"),
    })
}

/// The fewest bytes that hold the number; `None` if the text is not a number or exceeds the schema's
/// precision.
pub(super) fn bytes(text: &str, of: Decimal) -> Option<Vec<u8>> {
    let (is_negative, number) = match text.strip_prefix('-') {
        Some(number) => (true, number),
        None => (false, text),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let is_number = number.len() <= MAX_DIGITS + 1
        && !whole.is_empty()
        && whole
            .bytes()
            .chain(fraction.bytes())
            .all(|digit| digit.is_ascii_digit())
        && (!number.contains('.') || !fraction.is_empty())
        && fraction.len() <= of.scale
        && of.scale <= MAX_DIGITS;
    if !is_number {
        return None;
    }
    let digits = format!("{whole}{fraction:0<scale$}", scale = of.scale);
    let digits = digits.trim_start_matches('0');
    if digits.len() > of.precision.min(MAX_DIGITS) {
        return None;
    }
    let mut bytes = vec![0u8];
    for digit in digits.bytes() {
        let mut carry = u16::from(digit - b'0');
        for byte in bytes.iter_mut().rev() {
            let value = u16::from(*byte) * 10 + carry;
            *byte = (value & 0xff) as u8;
            carry = value >> 8;
        }
        if carry > 0 {
            bytes.insert(0, carry as u8);
        }
    }
    // Room for the sign.
    bytes.insert(0, 0);
    if is_negative {
        negate(&mut bytes);
    }
    let needless = bytes
        .windows(2)
        .take_while(|pair| {
            matches!(pair, [0, next] if next & 0x80 == 0) || matches!(pair, [0xff, next] if next & 0x80 != 0)
        })
        .count();
    bytes.drain(..needless);
    Some(bytes)
}

/// The number in exactly this many bytes, as a `fixed` holds it; `None` if it needs more.
pub(super) fn extended(bytes: Vec<u8>, size: usize) -> Option<Vec<u8>> {
    match bytes.len().cmp(&size) {
        Ordering::Greater => None,
        Ordering::Equal => Some(bytes),
        Ordering::Less if size > MAX_BYTES => None,
        Ordering::Less => {
            let sign = if bytes.first().is_some_and(|byte| byte & 0x80 != 0) {
                0xff
            } else {
                0
            };
            let mut extended = vec![sign; size - bytes.len()];
            extended.extend(bytes);
            Some(extended)
        }
    }
}

/// Two's complement.
fn negate(bytes: &mut [u8]) {
    let mut carry = true;
    for byte in bytes.iter_mut().rev() {
        let (value, overflows) = (!*byte).overflowing_add(u8::from(carry));
        *byte = value;
        carry = overflows;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PLAIN: Decimal = Decimal {
        precision: 39,
        scale: 0,
    };

    #[test]
    fn decimals_are_written_in_plain_notation() {
        for (hex, precision, scale, shown) in [
            (&[0x04, 0xd2][..], 4, 2, "12.34"),
            (&[0xfb, 0x2e], 4, 2, "-12.34"),
            (&[0x05], 4, 3, "0.005"),
            (&[0xff], 4, 3, "-0.001"),
            (&[0], 4, 0, "0"),
            (&[0], 4, 2, "0.00"),
            (&[0x80], 4, 0, "-128"),
            (&[0x00, 0x80], 4, 0, "128"),
        ] {
            let of = Decimal { precision, scale };
            assert_eq!(text(hex, of).as_deref(), Some(shown));
            assert_eq!(bytes(shown, of).as_deref(), Some(hex), "{shown}");
        }
        let of = Decimal {
            precision: 4,
            scale: 2,
        };
        assert_eq!(bytes("12.3", of), bytes("12.30", of));
        for wrong in [
            "", "-", ".5", "5.", "12.345", "123.45", "1e3", "+1", " 1", "1_0", "--1",
        ] {
            assert_eq!(bytes(wrong, of), None, "{wrong:?}");
        }
        assert_eq!(text(&[], of), None);
        assert_eq!(text(&[0x7f; 5], of), None, "more digits than the schema has");
        assert_eq!(text(&vec![1; 1 << 20], PLAIN), None);
        assert_eq!(bytes(&"1".repeat(1 << 20), PLAIN), None);
    }

    proptest! {
        #[test]
        fn every_integer_is_itself(value: i128) {
            let stored = value.to_be_bytes();
            prop_assert_eq!(text(&stored, PLAIN), Some(value.to_string()));
            let written = bytes(&value.to_string(), PLAIN).unwrap();
            prop_assert_eq!(extended(written, 16), Some(stored.to_vec()));
        }
    }
}
