//! Reads single values in Avro's binary encoding (Avro specification, "Binary Encoding") from a byte slice.
//! Nothing here allocates, and no input causes a panic or a read past the end.

/// The nesting limit for records, arrays and maps. JSON needs up to three levels for one of them, and
/// serde_json reads 128.
pub const MAX_DEPTH: usize = 40;

/// The limit on values in one record. An array of nulls takes no bytes per item, so a few bytes could hold
/// any number of them.
pub const MAX_VALUES: usize = 1_000_000;

/// What is wrong with the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The bytes end within a value.
    #[error("the bytes end within a value")]
    Truncated,
    /// Bytes remain after the last field: the writer used another schema.
    #[error("{0} bytes are left after the last field")]
    Trailing(usize),
    /// A variable-length integer exceeds its type.
    #[error("a variable-length integer does not fit its type")]
    Varint,
    /// A boolean byte other than 0 and 1.
    #[error("a boolean is {0}, expected 0 or 1")]
    Boolean(u8),
    /// A negative length.
    #[error("a length is negative")]
    Length,
    /// A string that is not UTF-8.
    #[error("a string is not UTF-8")]
    Utf8,
    /// Bytes or fixed that are not UTF-8 and cannot be an InfluxDB field.
    #[error("bytes that are not UTF-8 cannot be a field")]
    BinaryBytes,
    /// An enum or union index that the schema does not have.
    #[error("index {0} is not in the schema's enum or union")]
    Index(i64),
    /// More nested values than any real record has.
    #[error("more than {MAX_DEPTH} nested values")]
    TooDeep,
    /// More values than fit in memory: values that take no bytes can occur any number of times.
    #[error("more than {MAX_VALUES} values")]
    TooManyValues,
    /// An array so long that one of its elements would have the name of another field.
    #[error("the array's element {0} would have the name of another field")]
    NameCollision(usize),
    /// A map's key gives one of its values the name of another value.
    #[error("two values of the record have this name")]
    SameName,
    /// A map's key with a control character, a quote or a backslash, which cannot be part of a field's name.
    #[error(
        "a key of the map has a control character, a quote or a backslash, which no field's name can have"
    )]
    MapKey,
    /// The value of a union, of which only the record is a point.
    #[error("the value is branch {0} of the union, which is not its record")]
    OtherBranch(usize),
}

impl Fault {
    /// The error as a metric label.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Fault::Truncated => "avro_truncated",
            Fault::Trailing(_) => "avro_trailing_bytes",
            Fault::Utf8 => "string_not_utf8",
            Fault::BinaryBytes => "bytes_not_utf8",
            Fault::NameCollision(_) | Fault::SameName => "name_collision",
            Fault::MapKey => "map_key",
            Fault::OtherBranch(_) => "not_a_record",
            Fault::Varint
            | Fault::Boolean(_)
            | Fault::Length
            | Fault::Index(_)
            | Fault::TooDeep
            | Fault::TooManyValues => "avro_malformed",
        }
    }
}

/// Why a record's bytes cannot be read with their writer schema. Permanent: a retry does not help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Avro, byte {byte}, field {field:?}: {fault}")]
pub struct DecodeError {
    /// The field's name (in a point, its flattened name); empty if there is none.
    pub field: String,
    /// How far the Avro bytes were read, counted after the frame's five bytes.
    pub byte: usize,
    /// What is wrong.
    pub fault: Fault,
}

/// A position in a record's bytes.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
    length: usize,
}

impl<'a> Cursor<'a> {
    #[inline]
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Cursor {
            rest: bytes,
            length: bytes.len(),
        }
    }

    /// The number of bytes read so far.
    #[inline]
    pub(crate) fn position(&self) -> usize {
        self.length - self.rest.len()
    }

    /// The number of bytes left.
    #[inline]
    pub(crate) fn remaining(&self) -> usize {
        self.rest.len()
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(Fault::Truncated)?;
        self.rest = rest;
        Ok(*head)
    }

    #[inline]
    pub(crate) fn boolean(&mut self) -> Result<bool, Fault> {
        match self.array::<1>()? {
            [0] => Ok(false),
            [1] => Ok(true),
            [other] => Err(Fault::Boolean(other)),
        }
    }

    /// Zigzag, seven bits per byte, least significant first, at most ten bytes.
    #[inline]
    pub(crate) fn long(&mut self) -> Result<i64, Fault> {
        let mut value = 0u64;
        for (position, &byte) in self.rest.iter().enumerate() {
            // The tenth byte holds the last of the 64 bits.
            if position == 9 && byte > 1 {
                return Err(Fault::Varint);
            }
            value |= u64::from(byte & 0x7f) << (7 * position);
            if byte < 0x80 {
                self.rest = self.rest.get(position + 1..).unwrap_or_default();
                return Ok((value >> 1) as i64 ^ -((value & 1) as i64));
            }
        }
        Err(Fault::Truncated)
    }

    #[inline]
    pub(crate) fn int(&mut self) -> Result<i64, Fault> {
        let value = self.long()?;
        if i32::try_from(value).is_err() {
            return Err(Fault::Varint);
        }
        Ok(value)
    }

    #[inline]
    pub(crate) fn float(&mut self) -> Result<f32, Fault> {
        self.array().map(f32::from_le_bytes)
    }

    #[inline]
    pub(crate) fn double(&mut self) -> Result<f64, Fault> {
        self.array().map(f64::from_le_bytes)
    }

    #[inline]
    pub(crate) fn fixed(&mut self, size: usize) -> Result<&'a [u8], Fault> {
        let (head, rest) = self.rest.split_at_checked(size).ok_or(Fault::Truncated)?;
        self.rest = rest;
        Ok(head)
    }

    #[inline]
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Fault> {
        let length = self.long()?;
        let length = usize::try_from(length).map_err(|_| Fault::Length)?;
        self.fixed(length)
    }

    #[inline]
    pub(crate) fn text(&mut self) -> Result<&'a str, Fault> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Fault::Utf8)
    }

    /// An index into an enum's symbols or a union's branches.
    #[inline]
    pub(crate) fn choose<'t, T>(&mut self, from: &'t [T]) -> Result<&'t T, Fault> {
        let index = self.long()?;
        usize::try_from(index)
            .ok()
            .and_then(|at| from.get(at))
            .ok_or(Fault::Index(index))
    }

    /// The position of a union's branch, out of this many.
    pub(crate) fn index(&mut self, branches: usize) -> Result<usize, Fault> {
        let index = self.long()?;
        usize::try_from(index)
            .ok()
            .filter(|at| *at < branches)
            .ok_or(Fault::Index(index))
    }

    /// The head of an array's or map's block: the number of items that follow; 0 ends it. A negative count is
    /// followed by the block's size in bytes, which a reader that reads every item does not need.
    #[inline]
    pub(crate) fn count(&mut self) -> Result<usize, Fault> {
        let count = self.long()?;
        if count < 0 && self.long()? < 0 {
            return Err(Fault::Length);
        }
        usize::try_from(count.unsigned_abs()).map_err(|_| Fault::Truncated)
    }

    /// The same if each item takes at least one byte (the plan refuses arrays whose items take none). A count
    /// beyond the remaining bytes is then a truncated record, detected before any work is done for it.
    #[inline]
    pub(crate) fn block(&mut self) -> Result<usize, Fault> {
        let count = self.count()?;
        if count > self.remaining() {
            Err(Fault::Truncated)
        } else {
            Ok(count)
        }
    }
}
