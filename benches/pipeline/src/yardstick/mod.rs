//! The yardsticks: what remains of a stage when only its transport is left. They run as separate processes,
//! so that their CPU time can be measured separately.

mod carry;
mod post;

pub(crate) use carry::{CarryArgs, carry};
pub(crate) use post::{PostArgs, post};
