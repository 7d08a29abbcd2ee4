//! `kafkaefd k8s new`: an overlay for a subsystem, or for a group of subsystems.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::PathBuf;

use clap::Args;
use operator::failure::Failure;
use operator::overlays::{Overlay, Written};
use sal::avro::Options;
use schema_dir::SchemaDir;

use crate::exit::Done;
use crate::terminal::{AnswerArgs, plural};

/// Write the overlay of a subsystem, or of several under one name; one that exists is left unchanged
#[derive(Args, Debug, Clone)]
#[command(after_help = "Examples, in a clone of this repository:\n\n  \
                        kafkaefd k8s new MTMount --partitions 2\n  \
                        kafkaefd k8s new ATDome ATHexapod ATMCS --name auxtel --partitions 1\n\n\
                        It prints what to do next.")]
pub(super) struct NewArgs {
    /// Subsystem to carry, as SAL spells it; can be repeated
    #[arg(required = true, value_name = "SUBSYSTEM")]
    subsystem: Vec<String>,

    /// Partitions of each topic that its init Job creates
    #[arg(long, short, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    partitions: u32,

    /// Pods of each stage. Of one busy topic, pods beyond its partitions get nothing [default: one for each partition]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    replicas: Option<u32>,

    /// Name of the overlay, of its folder, and the ending of the names of all that it creates [default: the subsystem's]
    #[arg(long)]
    name: Option<String>,

    /// Folder of the overlays
    #[arg(long, value_name = "DIR", default_value = "k8s-apps/overlays")]
    into: PathBuf,

    /// Directory of the SAL interfaces that the image contains; the subsystems must be among them
    #[arg(long, alias = "xml-dir", value_name = "DIR", default_value = "schemas")]
    interfaces: PathBuf,

    #[command(flatten)]
    answer: AnswerArgs,
}

impl NewArgs {
    pub(super) fn run(&self) -> Result<Done, Failure> {
        let overlay = Overlay::new(
            self.name.as_deref(),
            &self.subsystem,
            &self.known()?,
            self.partitions,
            self.replicas,
        )?;
        let written = overlay.write(&self.into)?;
        self.answer.print(&written, || report(&written))?;
        Ok(Done::All)
    }

    /// The subsystems that the init Job finds in the image.
    fn known(&self) -> Result<Vec<String>, Failure> {
        let dir = SchemaDir::read(&self.interfaces)
            .map_err(|error| Failure::Usage(format!("cannot use --interfaces: {}", stage::chain(&error))))?;
        let schemas = dir.schemas(&Options::default()).schemas;
        let names: BTreeSet<String> = schemas
            .iter()
            .map(|schema| schema.topic.component().to_owned())
            .collect();
        Ok(names.into_iter().collect())
    }
}

fn report(written: &Written) -> String {
    let (folder, overlay) = (written.folder.display(), &written.overlay);
    let name = &overlay.name;
    let mut text = format!(
        "{folder}: {}, {} for each new topic, {} of each stage\n\n\
         next:\n  \
           kubectl apply -k {folder}\n  \
           kubectl -n kafka-efd wait --for=condition=complete --timeout=5m job/saltransform-init-{name}\n  \
           kubectl -n kafka-efd rollout status deployment -l app.kubernetes.io/instance={name}\n\n\
         if Kafka has ACLs, salmock and saltransform need rights to the topics with the prefix {}: k8s-cluster/users/, \
         docs/security.md",
        overlay.subsystems.join(", "),
        plural(overlay.partitions as usize, "partition"),
        plural(overlay.replicas as usize, "replica"),
        prefixes(&overlay.subsystems),
    );
    if let Some(first) = overlay.subsystems.first() {
        let _ = write!(
            text,
            "\n\nthe records' topics are named as in dialect efd, lsst.sal.{first}_…; Kafka cannot have them beside \
             lsst.sal.{first}.…, the names of ts_salobj, because it takes '.' and '_' for the same: where components write to \
             this Kafka themselves, set DIALECT=ts_xml and a SUBNAME of your own"
        );
    }
    for other in &written.also_carried_by {
        let _ = write!(
            text,
            "\nthe overlay {other} carries one of these subsystems as well: apply one of the two, or messages are carried \
             twice"
        );
    }
    text
}

fn prefixes(subsystems: &[String]) -> String {
    let prefixes: Vec<String> = subsystems.iter().map(|name| format!("{name}_")).collect();
    prefixes.join(", ")
}
