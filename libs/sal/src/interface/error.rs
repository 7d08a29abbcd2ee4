//! Errors in interface files and their location. Every text is for the person who edits the file; a retry
//! never helps.

use std::fmt;
use std::sync::Arc;

use super::sal_type::SalType;
use crate::name::{Dialect, NameError};

/// A line of an interface file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file's path as given.
    pub file: Arc<str>,
    /// Counted from 1.
    pub line: u32,
}

impl Place {
    pub(crate) fn new(file: &Arc<str>, line: u32) -> Self {
        Self {
            file: Arc::clone(file),
            line,
        }
    }

    pub(crate) fn error(&self, topic: Option<&str>, problem: Problem) -> InterfaceError {
        InterfaceError {
            place: self.clone(),
            topic: topic.map(str::to_owned),
            problem: Box::new(problem),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// One thing that was left out, and why: `file:line: topic: expectation`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfaceError {
    /// Where it is.
    pub place: Place,
    /// The topic that was left out; `None` for a whole file or a problem outside topics.
    pub topic: Option<String>,
    /// What is wrong.
    pub problem: Box<Problem>,
}

impl fmt::Display for InterfaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.topic {
            Some(topic) => write!(f, "{}: {topic}: {}", self.place, self.problem),
            None => write!(f, "{}: {}", self.place, self.problem),
        }
    }
}

impl std::error::Error for InterfaceError {}

/// A problem in an interface file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The whole file was left out.
    #[error("not well-formed XML, the file was left out: {reason}")]
    NotWellFormed {
        /// What the XML parser expected.
        reason: String,
    },
    /// The root element is not one of SAL's.
    #[error(
        "expected a SAL interface file with root element SALTelemetrySet, SALEventSet, SALCommandSet, SALObjects, \
         SALSubsystems or SALSubsystemSet, found <{found}>; the file was left out"
    )]
    UnknownRoot {
        /// The root element's name.
        found: String,
    },
    /// A required tag is missing or empty.
    #[error("<{inside}> needs a <{tag}> with text; add it")]
    MissingTag {
        /// The missing tag.
        tag: &'static str,
        /// The element that needs it.
        inside: String,
    },
    /// The topic's name is invalid.
    #[error("<EFDB_Topic>: {0}")]
    TopicName(NameError),
    /// A field name that Avro does not allow.
    #[error("<EFDB_Name> is a letter or '_', then letters, digits and '_', not '{found}'")]
    FieldName {
        /// The name.
        found: String,
    },
    /// Two items have the same name.
    #[error("field '{field}' is there twice; rename or remove one")]
    DuplicateField {
        /// The name.
        field: String,
    },
    /// An item has the name of a field that every record has.
    #[error("field '{field}' has the name of a field that dialect {dialect} adds to every topic; rename it")]
    ReservedField {
        /// The name.
        field: String,
        /// The dialect.
        dialect: Dialect,
    },
    /// The topic is already defined, in this or another file.
    #[error("the topic is already defined; only the first definition counts")]
    DuplicateTopic,
    /// The subsystem is already listed.
    #[error("subsystem '{subsystem}' is already listed; only the first entry counts")]
    DuplicateSubsystem {
        /// The subsystem's name.
        subsystem: String,
    },
    /// SAL does not have this type.
    #[error("field '{field}': <IDL_Type> is one of {}, not '{found}'", SalType::NAMES)]
    UnknownType {
        /// The item's name.
        field: String,
        /// The text of the tag.
        found: String,
    },
    /// The dialect has no Avro type for this SAL type.
    #[error("field '{field}': dialect {dialect} has no Avro type for '{sal_type}'")]
    NoAvroType {
        /// The item's name.
        field: String,
        /// Its type.
        sal_type: SalType,
        /// The dialect.
        dialect: Dialect,
    },
    /// The tag's text is of the wrong kind.
    #[error("field '{field}': <{tag}> is {expected}, not '{found}'")]
    BadText {
        /// The item's name.
        field: String,
        /// The tag.
        tag: &'static str,
        /// The expected kind of text.
        expected: &'static str,
        /// The text found.
        found: String,
    },
    /// A symbol of an enumeration is not a valid Avro name.
    #[error("<Enumeration> lists names of letters, digits and '_', or name=value, not '{found}'")]
    BadSymbol {
        /// The symbol.
        found: String,
    },
    /// A symbol's value is not an integer, or can be read in two ways.
    #[error(
        "<Enumeration>: the value of '{symbol}' is a decimal or 0x… integer without leading zeros, not '{found}'"
    )]
    BadSymbolValue {
        /// The symbol.
        symbol: String,
        /// The text after its `=`.
        found: String,
    },
    /// A symbol occurs twice in one enumeration.
    #[error("<Enumeration> has '{symbol}' twice")]
    DuplicateSymbol {
        /// The symbol.
        symbol: String,
    },
    /// An `.avsc` file is not an Avro record.
    #[error("expected an Avro record as JSON, the file was left out: {reason}")]
    AvroFile {
        /// The reason.
        reason: String,
    },
    /// The dialect has no `.avsc` topics.
    #[error("dialect efd has no .avsc topics; use dialect ts_xml")]
    AvroFileInEfd,
    /// Dialect ts_xml needs to know whether a component is indexed.
    #[error(
        "component '{component}' is not listed in SALSubsystems.xml; dialect ts_xml needs its entry there"
    )]
    NotListed {
        /// The component.
        component: String,
    },
    /// `AddedGenerics` names something that `SALGenerics.xml` does not have.
    #[error("<AddedGenerics> of '{component}': SALGenerics.xml has no topic or category '{generic}'")]
    UnknownGeneric {
        /// The component.
        component: String,
        /// The unknown name.
        generic: String,
    },
}
