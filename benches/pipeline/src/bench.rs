//! Shared by all rows: the services, the stages' binaries, and unique names.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use stage::config::RegistryArgs;
use stage::registry::Registry;

use crate::config::RunArgs;
use crate::failure::{Doing, Outcome};
use crate::kafka::Kafka;
use crate::process::{Process, free_port};
use crate::services::Services;
use crate::template::{Templates, Topic};

/// The environment of a run.
pub(crate) struct Bench {
    pub(crate) args: RunArgs,
    pub(crate) services: Services,
    pub(crate) kafka: Kafka,
    pub(crate) registry: Registry,
    pub(crate) http: reqwest::Client,
    program: PathBuf,
    counter: AtomicU32,
}

impl Bench {
    /// Connects to the services.
    pub(crate) fn open(args: &RunArgs) -> Outcome<Self> {
        let services = Services::open(&args.services)?;
        std::fs::create_dir_all(&args.logs).doing(format!("make {}", args.logs.display()))?;
        let registry = Registry::new(&RegistryArgs::at(services.get("SCHEMAREGISTRY")?));
        Ok(Self {
            kafka: Kafka::new(services.get("BROKER")?)?,
            registry: registry.doing("make a registry client")?,
            http: reqwest::Client::builder()
                .no_proxy()
                .build()
                .doing("make an HTTP client")?,
            program: std::env::current_exe().doing("find this program")?,
            services,
            args: args.clone(),
            counter: AtomicU32::new(0),
        })
    }

    /// A name that was not used before in this run.
    pub(crate) fn fresh(&self, name: &str) -> String {
        format!("{name}-{}", self.counter.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// The first number in a quick run, the second otherwise.
    pub(crate) fn size<T>(&self, quick: T, real: T) -> T {
        if self.args.quick { quick } else { real }
    }

    /// Registers a topic's schema, creates its Kafka topic, and fills an input topic with its messages;
    /// returns the name of the input topic.
    pub(crate) async fn load(
        &self,
        topic: &Topic,
        templates: &Templates,
        partitions: i32,
        count: u64,
    ) -> Outcome<String> {
        self.prepare(topic, partitions).await?;
        let input = self.fresh("bench-input");
        self.kafka.create(&input, partitions).await?;
        // One millisecond apart, ending now: records of dialect efd have milliseconds.
        let first = stage::unix_micros() - 1_000 * count as i64;
        let text = |number: u64, out: &mut Vec<u8>| {
            templates.write(number, first + 1_000 * number as i64, out);
        };
        self.kafka.fill(&input, partitions, count, text).await?;
        Ok(input)
    }

    /// Registers a topic's schema and creates its Kafka topic.
    pub(crate) async fn prepare(&self, topic: &Topic, partitions: i32) -> Outcome<()> {
        let registered = self.registry.register(&topic.subject, &topic.schema).await;
        registered.doing(format!("register {}", topic.subject))?;
        self.kafka.create(&topic.kafka_topic, partitions).await
    }

    /// Starts a stage as an operator does: the binary next to this one, with addresses and tokens in the
    /// environment.
    pub(crate) fn stage(&self, binary: &str, arguments: &[&str]) -> Outcome<Process> {
        let port = free_port()?;
        let mut arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        arguments.extend(["--prometheus-port".to_owned(), port.to_string()]);
        self.start(binary, &self.beside(binary), &arguments, port)
    }

    /// Starts a replica of saltransform that reads one topic, or several separated by commas, from the
    /// beginning.
    pub(crate) fn transform(&self, input: &str, group: &str, more: &[&str]) -> Outcome<Process> {
        let arguments = [
            "run",
            "--topic",
            input,
            "--group",
            group,
            "--auto-offset-reset",
            "earliest",
        ];
        self.stage("saltransform", &[&arguments, more].concat())
    }

    /// Starts a stage's command that ends by itself.
    pub(crate) fn command(&self, binary: &str, arguments: &[&str]) -> Outcome<Process> {
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        self.start(binary, &self.beside(binary), &arguments, 0)
    }

    /// The path of a binary next to this one.
    pub(crate) fn beside(&self, binary: &str) -> PathBuf {
        self.program.with_file_name(binary)
    }

    /// Starts a yardstick, which is this program again.
    pub(crate) fn yardstick(&self, name: &str, arguments: &[&str]) -> Outcome<Process> {
        let arguments: Vec<String> = [&[name], arguments]
            .concat()
            .iter()
            .map(|&word| word.to_owned())
            .collect();
        self.start(name, &self.program, &arguments, 0)
    }

    /// Starts any program with the services' addresses in its environment.
    pub(crate) fn start(
        &self,
        name: &str,
        program: &std::path::Path,
        arguments: &[String],
        port: u16,
    ) -> Outcome<Process> {
        let name = self.fresh(name);
        Process::start(
            &name,
            program,
            arguments,
            self.services.environment(),
            &self.args.logs,
            port,
        )
    }
}
