//! The operator's choices for the mapping from records to points, for [`super::Plan::compile`].

use super::time::TimeUnit;

/// The choices; the same for all schemas. Names are flattened: `outer_inner` for a field of a nested record.
#[derive(Clone, Debug)]
pub struct Mapping {
    /// Values that become tags instead of fields.
    pub tag_fields: Vec<String>,
    /// Values that become tags and stay fields.
    pub tag_copies: Vec<TagCopy>,
    /// The first one that a record has is its time.
    pub time_fields: Vec<String>,
    /// The unit of a time in an integer whose schema names none.
    pub time_unit: Option<TimeUnit>,
    /// The first one that a record has keeps points with the same time apart
    /// ([`PointSink::tiebreaker`](super::PointSink::tiebreaker)).
    pub tiebreakers: Vec<String>,
    /// A tag that the sink adds; no field may have its name.
    pub added_tag: Option<String>,
}

/// A field that is also a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagCopy {
    /// The field.
    pub field: String,
    /// The tag; InfluxDB allows it the field's name.
    pub tag: String,
}

impl Default for Mapping {
    /// No tags; the time field of dialect `efd`, then that of dialect `ts_xml`.
    fn default() -> Self {
        Mapping {
            time_fields: vec!["sal_created".into(), "private_efdStamp".into()],
            ..Mapping::none()
        }
    }
}

impl Mapping {
    /// Nothing but fields.
    #[must_use]
    pub const fn none() -> Self {
        Mapping {
            tag_fields: Vec::new(),
            tag_copies: Vec::new(),
            time_fields: Vec::new(),
            time_unit: None,
            tiebreakers: Vec::new(),
            added_tag: None,
        }
    }
}
