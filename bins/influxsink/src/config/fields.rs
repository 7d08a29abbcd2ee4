//! Flags that choose the fields of points by their names.

use clap::Args;

use super::ConfigError;
use crate::line::FieldFilter;

/// The flags.
#[derive(Args, Clone, Debug, Default)]
pub struct FieldArgs {
    /// Write only fields whose flattened name matches a pattern (force*, temperature[0-9], * for any characters and ?
    /// for one); can be repeated. Tags and the time stay. A record without such a field is skipped and counted
    #[arg(
        long,
        env = "FIELD_INCLUDE",
        value_name = "PATTERN",
        value_delimiter = ',',
        help_heading = "Points"
    )]
    pub field_include: Vec<String>,

    /// Leave out fields whose flattened name matches a pattern, also of those that --field-include names
    #[arg(
        long,
        env = "FIELD_EXCLUDE",
        value_name = "PATTERN",
        value_delimiter = ',',
        help_heading = "Points"
    )]
    pub field_exclude: Vec<String>,
}

impl FieldArgs {
    pub(super) fn filter(&self) -> Result<Option<FieldFilter>, ConfigError> {
        Ok(FieldFilter::new(&self.field_include, &self.field_exclude)?)
    }
}
