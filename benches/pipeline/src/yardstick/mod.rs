//! The yardsticks: what remains of a stage when only its transport is left. They run as processes of their own, so that
//! their CPU time is theirs alone.

mod carry;
mod post;

pub(crate) use carry::{CarryArgs, carry};
pub(crate) use post::{PostArgs, post};
