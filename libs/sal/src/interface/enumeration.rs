//! Parses `<Enumeration>` text into symbols and their values.

use super::error::Problem;

/// The symbols of an enumeration, of one item or of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enumeration {
    /// In file order.
    pub symbols: Vec<Symbol>,
}

/// A name and, if the file gives one, its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symbol {
    /// An Avro name.
    pub name: String,
    /// The text after `=`.
    pub value: Option<i64>,
}

impl Enumeration {
    /// Parses `A,B,C` or `A=1,\n B=0x02`; empty parts are ignored.
    pub(super) fn parse(text: &str) -> Result<Enumeration, Problem> {
        let mut symbols: Vec<Symbol> = Vec::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, value) = match part.split_once('=') {
                Some((name, value)) => (name.trim(), Some(value.trim())),
                None => (part, None),
            };
            if !is_avro_name(name) {
                return Err(Problem::BadSymbol {
                    found: part.to_owned(),
                });
            }
            if symbols.iter().any(|symbol| symbol.name == name) {
                return Err(Problem::DuplicateSymbol {
                    symbol: name.to_owned(),
                });
            }
            let value = match value {
                Some(text) => Some(integer(text).ok_or_else(|| Problem::BadSymbolValue {
                    symbol: name.to_owned(),
                    found: text.to_owned(),
                })?),
                None => None,
            };
            symbols.push(Symbol {
                name: name.to_owned(),
                value,
            });
        }
        Ok(Enumeration { symbols })
    }

    /// The wire values, symbol by symbol: the value in the file, otherwise one more than the previous symbol.
    /// The first is 1, as in SAL's generator.
    pub fn values(&self) -> Vec<i64> {
        let mut next = 1;
        let mut values = Vec::with_capacity(self.symbols.len());
        for symbol in &self.symbols {
            let value = symbol.value.unwrap_or(next);
            next = value.saturating_add(1);
            values.push(value);
        }
        values
    }

    /// Whether the file gives any explicit value.
    pub fn has_explicit_values(&self) -> bool {
        self.symbols.iter().any(|symbol| symbol.value.is_some())
    }
}

/// Whether `name` is a valid name for an Avro field or symbol.
pub(super) fn is_avro_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Decimal or `0x…`. A leading zero means octal in C and nowhere else, so such a number is accepted only if
/// both readings agree.
fn integer(text: &str) -> Option<i64> {
    if let Some(digits) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return i64::from_str_radix(digits, 16)
            .ok()
            .filter(|_| !digits.starts_with(['+', '-']));
    }
    let value: i64 = text.parse().ok()?;
    let digits = text.trim_start_matches(['+', '-']);
    (digits == "0" || !digits.starts_with('0') || (0..8).contains(&value)).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_count_from_one_unless_the_file_says_otherwise() {
        let values = |text| Enumeration::parse(text).map(|enumeration| enumeration.values());
        assert_eq!(values("First,Last,Before,After"), Ok(vec![1, 2, 3, 4]));
        assert_eq!(
            values("A_Zero=0, A_Two=2,\n A_Four=04, A_Five = 0x05,A_Six,"),
            Ok(vec![0, 2, 4, 5, 6])
        );
        assert_eq!(values("N=-1,Z"), Ok(vec![-1, 0]));
        assert_eq!(values(" "), Ok(vec![]));
    }

    #[test]
    fn errors_name_the_symbol() {
        let error = |text| Enumeration::parse(text).unwrap_err().to_string();
        assert_eq!(
            error("A,b c"),
            "<Enumeration> lists names of letters, digits and '_', or name=value, not 'b c'"
        );
        assert_eq!(error("A,B,A"), "<Enumeration> has 'A' twice");
        assert_eq!(
            error("A=010"),
            "<Enumeration>: the value of 'A' is a decimal or 0x… integer without leading zeros, not '010'"
        );
        assert_eq!(
            error("A="),
            "<Enumeration>: the value of 'A' is a decimal or 0x… integer without leading zeros, not ''"
        );
    }
}
