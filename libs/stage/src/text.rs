//! Counts in sentences: for log lines, answers and the reasons of refusals.

/// A count with its thousands apart: `1,234,567`.
pub fn count(number: impl TryInto<i128>) -> String {
    // No integer that is counted with has more than 64 bits.
    let number: i128 = number.try_into().unwrap_or(i128::MAX);
    let digits = number.unsigned_abs().to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if number < 0 { format!("-{text}") } else { text }
}

/// `1 topic`, `2 topics`: a count and its noun, whose plural takes an `s`.
pub fn plural(number: impl TryInto<i128>, noun: &str) -> String {
    let number = count(number);
    let ending = if number == "1" { "" } else { "s" };
    format!("{number} {noun}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        assert_eq!(count(-1_234_567), "-1,234,567");
        assert_eq!(plural(1, "topic"), "1 topic");
        assert_eq!(plural(1_000, "topic"), "1,000 topics");
        assert_eq!(plural(u64::MAX, "topic"), "18,446,744,073,709,551,615 topics");
        assert_eq!(plural(-1, "topic"), "-1 topics");
    }
}
