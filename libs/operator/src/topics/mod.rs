//! The cluster's topics: list, create, delete, widen and set them, and how many messages they hold.

mod chosen;
mod chunks;
mod config;
mod create;
mod delete;
mod describe;
mod list;
mod offsets;
mod partitions;

pub use chosen::chosen;
pub use config::{Setting, SettingsChange, change_settings, plan_settings, settings};
pub use create::{NewTopics, create};
pub use delete::{Deleted, Deletion, delete, message_count, plan_deletion};
pub use describe::{PartitionDescription, TopicDescription, describe};
pub use list::{TopicFilter, TopicSummary, list};
pub use offsets::{PartitionCount, TopicOffsets, offsets, offsets_of_all};
pub use partitions::{Widened, Widening, add_partitions, plan_partitions};
