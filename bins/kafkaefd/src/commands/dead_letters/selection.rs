//! The flags that select dead letters.

use clap::Args;
use clap::builder::PossibleValuesParser;
use operator::dead_letters::{STAGES, Selection, unmatched};
use operator::failure::Failure;
use stage::config::{KafkaArgs, Timestamp, parse_timestamp};

use crate::commands::ask;
use crate::terminal::bars;

#[derive(Args, Debug, Clone, Default)]
#[command(next_help_heading = "Selection of dead letters")]
pub(super) struct SelectionArgs {
    /// Dead-letter topic; may be repeated [default: all topics whose names end with .dead-letter]
    #[arg(long = "in", value_name = "TOPIC")]
    topics: Vec<String>,
    /// Only dead letters of this stage
    #[arg(long, value_name = "STAGE", value_parser = PossibleValuesParser::new(STAGES))]
    stage: Option<String>,
    /// Only dead letters with this reason, such as bad_header
    #[arg(long, value_name = "REASON")]
    reason: Option<String>,
    /// Only dead letters that came from this topic
    #[arg(long, value_name = "TOPIC")]
    topic: Option<String>,
    /// Only messages that became dead letters at this time or later: 2026-11-21T10:00:00Z, 2026-11-21, -2h
    #[arg(long, value_name = "WHEN", value_parser = parse_timestamp, allow_hyphen_values = true)]
    from: Option<Timestamp>,
    /// Only messages that became dead letters before this time
    #[arg(long, value_name = "WHEN", value_parser = parse_timestamp, allow_hyphen_values = true)]
    to: Option<Timestamp>,
}

impl SelectionArgs {
    /// After nothing was selected: which condition is to blame, if one is.
    pub(super) async fn unmatched(&self, kafka: &KafkaArgs) -> Result<Option<Failure>, Failure> {
        let (selection, bars) = (Selection::from(self), bars());
        ask(kafka, move |cluster| unmatched(cluster, &selection, &bars)).await
    }
}

impl From<&SelectionArgs> for Selection {
    fn from(args: &SelectionArgs) -> Self {
        Self {
            topics: args.topics.clone(),
            stage: args.stage.clone(),
            reason: args.reason.clone(),
            topic: args.topic.clone(),
            from: args.from,
            to: args.to,
        }
    }
}
