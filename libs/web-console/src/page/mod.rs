//! The pages. Each is rendered by the server and complete without scripts; the parts that move have an id, under which the
//! page's event stream sends them again.

pub(crate) mod connectors;
pub(crate) mod dead_letters;
pub(crate) mod flow;
pub(crate) mod groups;
pub(crate) mod layout;
pub(crate) mod messages;
pub(crate) mod overview;
mod pager;
pub(crate) mod problem;
pub(crate) mod schemas;
pub(crate) mod sparkline;
pub(crate) mod telemetry;
pub(crate) mod topic;
pub(crate) mod topics;
