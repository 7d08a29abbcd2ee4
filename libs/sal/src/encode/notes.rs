//! What a message had and the record has not, or the other way round: counted by name, never silently.

/// Something worth counting about a message that was encoded all the same.
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

/// Counts by name: `skipped_…` values that the schema has no field for, `omitted_…` fields that the wire has no
/// value for (written with their default), `ambiguous_string` where strings could have been split otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Notes {
    counts: [u32; NAMES.len()],
}

impl Notes {
    /// All names that there can be, for metrics that are to exist from the start.
    pub const REASONS: &'static [&'static str] = &NAMES;

    pub(crate) fn add(&mut self, kind: NoteKind) {
        if let Some(count) = self.counts.get_mut(kind as usize) {
            *count += 1;
        }
    }

    /// Name and count of each that is not zero.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u32)> {
        NAMES.into_iter().zip(self.counts).filter(|(_, count)| *count > 0)
    }

    /// The count of one name; 0 for a name that there is not.
    pub fn count(&self, reason: &str) -> u32 {
        self.iter()
            .find(|(name, _)| *name == reason)
            .map_or(0, |(_, count)| count)
    }

    /// Whether there is nothing to count.
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
