//! The cluster's consumer groups: who is in them, what they have committed, how far behind that is, and moving or removing
//! their offsets.
//!
//! ```text
//!  Cluster::groups ─▶ positions ─▶ readable (is there anything left to read?) ─▶ list, describe
//!                  └▶ reset_plan ─▶ reset, delete: refused while anybody is in the group
//! ```

mod delete;
mod describe;
mod list;
mod positions;
mod protocol;
mod readable;
mod reset;
mod reset_plan;

use std::panic::{AssertUnwindSafe, catch_unwind};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::groups::{GroupInfo, GroupMemberInfo};
use serde::Serialize;
use stage::kafka::OneShotContext;

use crate::cluster::{Client, Cluster, Place, REQUEST_TIMEOUT};
use crate::failure::{Failure, nearest};
use crate::text::plural;

pub use delete::{Forgotten, delete, forgotten};
pub use describe::{GroupDescription, MemberSummary, PartitionPosition, describe};
pub use list::{GroupSummary, list};
pub use positions::Position;
pub use readable::SeenGaps;
pub use reset::{PlannedMove, Reset, ResetPlan, ResetRequest, execute, plan};
pub use reset_plan::{Move, Target};

/// The command that lists what [`Cluster::group`] looks among.
const LIST_GROUPS: &str = "kafkaefd groups list";

/// A consumer group, as its coordinator describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// What its coordinator says of it.
    pub state: GroupState,
    /// `consumer` for consumers, empty where nobody has joined; Kafka Connect and registries have their own.
    pub protocol_type: String,
    /// How its members share the partitions out.
    pub assignor: String,
    /// Those that are in it now.
    pub members: Vec<Member>,
}

/// Whether a group is at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupState {
    /// Its members have their partitions.
    Stable,
    /// Its members join, or wait for their partitions.
    Rebalancing,
    /// Nobody is in it.
    Empty,
    /// Its members speak a protocol whose groups do not answer this question (KIP-848): it may have members.
    Untold,
}

/// One client of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The id that the coordinator gave it.
    pub id: String,
    /// `client.id`.
    pub client: String,
    /// Where it connects from.
    pub host: String,
    /// What it subscribes to.
    pub topics: Vec<String>,
    /// What it was given.
    pub partitions: Vec<Place>,
}

/// Whether a group does not exist yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IsNew {
    /// It exists.
    No,
    /// It does not.
    Yes {
        /// The names that it may have been meant to have.
        nearest: Vec<String>,
    },
}

impl GroupState {
    fn of(state: &str) -> Self {
        match state {
            "Stable" => Self::Stable,
            "Empty" => Self::Empty,
            "PreparingRebalance" | "CompletingRebalance" => Self::Rebalancing,
            _ => Self::Untold,
        }
    }

    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Rebalancing => "rebalancing",
            Self::Empty => "empty",
            Self::Untold => "untold",
        }
    }
}

impl Group {
    /// Whether anybody is known to be in it.
    pub fn is_active(&self) -> bool {
        !self.members.is_empty() || matches!(self.state, GroupState::Stable | GroupState::Rebalancing)
    }

    /// Refuses to change the offsets of a group that is at work: its members would go on where they are, and commit that.
    pub fn refuse_active(&self, doing: &str) -> Result<(), Failure> {
        if !self.is_active() {
            return Ok(());
        }
        Err(Failure::Refused {
            what: format!("{doing} {}", self.name),
            reason: self.who_is_in(),
            hint: format!(
                "stop these clients, wait until `kafkaefd groups describe {}` says empty, and come back",
                self.name
            ),
        })
    }

    /// Its members in one sentence, with their partitions.
    pub fn who_is_in(&self) -> String {
        /// More are only counted: a person reads this line.
        const NAMED: usize = 5;
        if self.members.is_empty() {
            return format!("it is {}", self.state.word());
        }
        let mut parts: Vec<String> = self
            .members
            .iter()
            .take(NAMED)
            .map(|member| {
                let mut held: Vec<String> = member
                    .partitions
                    .iter()
                    .take(NAMED)
                    .map(|(topic, number)| format!("{topic}[{number}]"))
                    .collect();
                if member.partitions.len() > NAMED {
                    held.push("…".to_owned());
                }
                let held = if held.is_empty() {
                    "no partitions".to_owned()
                } else {
                    held.join(" ")
                };
                format!("{} at {} ({held})", member.client, member.host)
            })
            .collect();
        if self.members.len() > NAMED {
            parts.push(format!("{} more", self.members.len() - NAMED));
        }
        format!(
            "{} in it: {}",
            plural(self.members.len(), "client"),
            parts.join(", ")
        )
    }
}

impl Cluster {
    /// All consumer groups, by name.
    pub fn groups(&self) -> Result<Vec<Group>, Failure> {
        self.groups_by(&*self.consumer(&[])?)
    }

    /// The same, asked by a consumer that is there already.
    pub fn groups_by(&self, consumer: &BaseConsumer<OneShotContext>) -> Result<Vec<Group>, Failure> {
        self.check_wanted()?;
        let list = consumer
            .fetch_group_list(None, REQUEST_TIMEOUT)
            .map_err(|source| match source.rdkafka_error_code() {
                Some(RDKafkaErrorCode::UnsupportedFeature) => Failure::Refused {
                    what: "the list of consumer groups".to_owned(),
                    reason: "this broker does not list groups, as the embedded one of the demo".to_owned(),
                    hint: "the stages' own metrics show their lag: `kafkaefd top --metrics HOST:PORT`"
                        .to_owned(),
                },
                _ => Failure::kafka("asking for the groups")(source),
            })?;
        // rdkafka panics on names that are not UTF-8. Brokers of Java send none; whoever does is left out.
        let mut groups: Vec<Group> = list
            .groups()
            .iter()
            .filter_map(|info| catch_unwind(AssertUnwindSafe(|| group(info))).ok())
            .filter(|group| !group.name.is_empty())
            .collect();
        groups.sort_by(|one, other| one.name.cmp(&other.name));
        groups.dedup_by(|one, other| one.name == other.name);
        Ok(groups)
    }

    /// The group of that name, or the names that are nearest to it.
    pub fn group(&self, name: &str) -> Result<Group, Failure> {
        let groups = self.groups()?;
        let names: Vec<String> = groups.iter().map(|group| group.name.clone()).collect();
        groups
            .into_iter()
            .find(|group| group.name == name)
            .ok_or_else(|| Failure::Unknown {
                kind: "group",
                name: name.to_owned(),
                nearest: nearest(name, names.iter().map(String::as_str)),
                list: LIST_GROUPS,
            })
    }

    /// The same; a group that does not exist yet, if offsets in named topics are to be its first, as before a stage is
    /// started for the first time. Says which of the two it is.
    pub fn group_or_new(&self, name: &str, topics: &[String]) -> Result<(Group, IsNew), Failure> {
        match self.group(name) {
            Err(Failure::Unknown { nearest, .. }) if !topics.is_empty() => {
                let group = Group {
                    name: name.to_owned(),
                    state: GroupState::Empty,
                    protocol_type: String::new(),
                    assignor: String::new(),
                    members: Vec::new(),
                };
                Ok((group, IsNew::Yes { nearest }))
            }
            found => Ok((found?, IsNew::No)),
        }
    }

    /// A consumer that speaks for a group without joining it.
    pub fn consumer_of(&self, group: &str) -> Result<Client, Failure> {
        self.consumer(&[("group.id", group)])
    }
}

fn group(info: &GroupInfo) -> Group {
    let state = GroupState::of(info.state());
    Group {
        name: info.name().to_owned(),
        state,
        protocol_type: info.protocol_type().to_owned(),
        assignor: info.protocol().to_owned(),
        members: match state {
            GroupState::Untold => Vec::new(),
            // What is not of the consumers' protocol (Connect, the registries) has no partitions that could be named.
            _ => {
                let of_consumers = info.protocol_type() == "consumer";
                info.members()
                    .iter()
                    .map(|info| member(info, of_consumers))
                    .collect()
            }
        },
    }
}

fn member(info: &GroupMemberInfo, of_consumers: bool) -> Member {
    Member {
        id: info.id().to_owned(),
        client: info.client_id().to_owned(),
        host: info.client_host().trim_start_matches('/').to_owned(),
        topics: info
            .metadata()
            .filter(|_| of_consumers)
            .and_then(protocol::subscription)
            .unwrap_or_default(),
        partitions: info
            .assignment()
            .filter(|_| of_consumers)
            .and_then(protocol::assignment)
            .unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_states_are_not_taken_for_empty() {
        assert_eq!(GroupState::of("Empty"), GroupState::Empty);
        for untold in ["Dead", "", "Assigning", "Reconciling"] {
            assert_eq!(GroupState::of(untold), GroupState::Untold);
        }
    }
}
