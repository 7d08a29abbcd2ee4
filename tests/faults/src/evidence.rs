//! What is kept of a fault after which data does not arrive: each replica's `/metrics` and `/ready`, how far both groups
//! have committed, and every message that is missing, in a file beside the replicas' logs.

use std::fmt::Write as _;

use crate::ledger::Stage;
use crate::report_files::write;
use crate::world::{World, group};
use stage::lock;

/// Writes `not-recovered-WINDOW.txt`; what cannot be asked is part of the evidence.
pub(crate) async fn keep(world: &World, window: usize, upto: usize) {
    let mut text = String::new();
    for missing in lock(&world.ledger).missing(upto) {
        let _ = writeln!(text, "missing {missing}");
    }
    for stage in [Stage::Transform, Stage::Sink] {
        match world.cluster.committed(group(stage), &world.topics_of(stage)) {
            Ok(positions) => {
                for ((topic, partition), offset) in positions {
                    let _ = writeln!(text, "committed {} {topic}[{partition}]@{offset}", group(stage));
                }
            }
            Err(error) => {
                let _ = writeln!(text, "committed {}: {}", group(stage), stage::chain(&error));
            }
        }
    }
    for replica in &world.replicas {
        for path in ["/ready", "/metrics"] {
            let answer = replica.answer(&world.http, path).await;
            let (status, body) = answer.unwrap_or_else(|error| (0, error));
            let _ = writeln!(text, "\n== {} {path} {status}\n{body}", replica.name);
        }
    }
    let path = world.logs().join(format!("not-recovered-{window}.txt"));
    if let Err(error) = write(&path, &text) {
        lock(&world.ledger).complain(stage::chain(&error));
    }
}
