//! The reference pages as text.

pub(crate) mod commands;
pub(crate) mod metrics;
