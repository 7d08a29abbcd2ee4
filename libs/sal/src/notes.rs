//! Differences between a message and its record, counted by name so that none goes unnoticed.

/// Something worth counting about a message that was encoded nevertheless.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum NoteKind {
    SkippedPreamble,
    SkippedHost,
    SkippedIndex,
    SkippedDevice,
    SkippedProperty,
    SkippedAction,
    SkippedItemValue,
    SkippedPriority,
    SkippedState,
    OmittedIndex,
    OmittedIdentity,
    OmittedDevice,
    OmittedProperty,
    OmittedAction,
    OmittedItemValue,
    OmittedPriority,
    OmittedState,
    OmittedByte,
    AmbiguousString,
}

/// The names, in the order of [`NoteKind`].
const NAMES: [&str; 19] = [
    "skipped_preamble",
    "skipped_host",
    "skipped_index",
    "skipped_device",
    "skipped_property",
    "skipped_action",
    "skipped_item_value",
    "skipped_priority",
    "skipped_state",
    "omitted_index",
    "omitted_identity",
    "omitted_device",
    "omitted_property",
    "omitted_action",
    "omitted_item_value",
    "omitted_priority",
    "omitted_state",
    "omitted_byte",
    "ambiguous_string",
];

/// Counts by name: `skipped_…` for values without a field in the schema, `omitted_…` for fields without a
/// value on the wire (written with their default), `ambiguous_string` for strings that could have been split
/// differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Notes {
    counts: [u32; NAMES.len()],
}

impl Notes {
    /// All possible names, so that metrics can be created up front.
    pub const REASONS: &'static [&'static str] = &NAMES;

    pub(crate) fn add(&mut self, kind: NoteKind) {
        if let Some(count) = self.counts.get_mut(kind as usize) {
            *count += 1;
        }
    }

    /// Name and count of each note that is not zero.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u32)> {
        NAMES.into_iter().zip(self.counts).filter(|(_, count)| *count > 0)
    }

    /// The count for one name; 0 for an unknown name.
    pub fn count(&self, reason: &str) -> u32 {
        self.iter()
            .find(|(name, _)| *name == reason)
            .map_or(0, |(_, count)| count)
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.counts.iter().all(|count| *count == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_counted_by_name() {
        let mut notes = Notes::default();
        assert!(notes.is_empty());
        notes.add(NoteKind::SkippedPreamble);
        notes.add(NoteKind::AmbiguousString);
        notes.add(NoteKind::AmbiguousString);
        assert_eq!(
            notes.iter().collect::<Vec<_>>(),
            [("skipped_preamble", 1), ("ambiguous_string", 2)]
        );
        assert_eq!(notes.count("ambiguous_string"), 2);
        assert_eq!(notes.count("skipped_host"), 0);
    }
}
