//! The types of SAL fields (`IDL_Type`).

use std::fmt;
use std::str::FromStr;

macro_rules! sal_types {
    ($first:ident $first_text:literal, $($name:ident $text:literal),* $(,)?) => {
        /// The type of a SAL field, as `IDL_Type` names it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum SalType {
            #[doc = concat!("`", $first_text, "`")]
            $first,
            $(#[doc = concat!("`", $text, "`")] $name,)*
        }

        impl SalType {
            /// All names, for error texts.
            pub const NAMES: &str = concat!($first_text, $(", ", $text),*);

            /// The name in interface files.
            pub fn as_str(self) -> &'static str {
                match self {
                    SalType::$first => $first_text,
                    $(SalType::$name => $text,)*
                }
            }
        }

        impl FromStr for SalType {
            type Err = ();

            fn from_str(text: &str) -> Result<Self, ()> {
                match text {
                    $first_text => Ok(SalType::$first),
                    $($text => Ok(SalType::$name),)*
                    _ => Err(()),
                }
            }
        }
    };
}

sal_types! {
    Boolean "boolean",
    Byte "byte",
    Octet "octet",
    Char "char",
    Short "short",
    UnsignedShort "unsigned short",
    Int "int",
    UnsignedInt "unsigned int",
    Long "long",
    UnsignedLong "unsigned long",
    LongLong "long long",
    UnsignedLongLong "unsigned long long",
    Float "float",
    Double "double",
    String "string",
}

impl fmt::Display for SalType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
