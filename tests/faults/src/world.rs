//! Everything that a fault can touch: services, proxies, stages, traffic, and the checks that watch them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clap::ValueEnum as _;
use sal::avro::Options;
use salmock::topic_schema::TopicShape;
use schema_dir::SchemaDir;
use stage::lock;
use testkit::KafkaProxy;

use crate::answers::Answers;
use crate::audit::{Audit, Topics};
use crate::claims::Claims;
use crate::cluster::Cluster;
use crate::config::Args;
use crate::database::Database;
use crate::failure::{Failure, Outcome};
use crate::instance::{Instance, root};
use crate::kind::Kind;
use crate::ledger::{SharedLedger, Stage};
use crate::proxy::Proxy;
use crate::registry::RegistryLog;
use crate::registry_answers::RegistryAnswers;
use crate::replica::{Ended, Recipe, Replica, STOP_WITHIN};
use crate::stuck::{Watch, Watched};
use crate::traffic::Traffic;

/// The SAL topics of the traffic, and their weights. The last two have a string that faults write.
const TOPICS: [(&str, u32); 12] = [
    ("ATDome_position", 6),
    ("ATDome_loopTime", 6),
    ("ATDome_timestamp", 6),
    ("ATDome_logevent_azimuthState", 6),
    ("ATDome_logevent_rejectedCommand", 6),
    ("Test_scalars", 6),
    ("Test_arrays", 3),
    ("Test_command_wait", 6),
    ("MTM1M3TS_thermalData", 1),
    ("MTM1M3TS_logevent_errorCode", 6),
    ("Test_logevent_scalars", 6),
    ("MTM1M3TS_command_start", 6),
];
/// The line whose schema changes.
pub(crate) const CHANGING: usize = 10;
/// The line that ends with a string.
pub(crate) const WITH_STRING: usize = 11;

/// The topic expression for records, as in the README.
pub(crate) const RECORDS: &str = "^lsst\\.sal\\.";

/// How many seconds a schema is requested again that the registry does not know (30 by default): records with
/// made-up ids are waited for as long.
const GRACE: &str = "6";

/// Kafka's default session timeout is 45 s. With this one, runs take minutes instead of hours.
const SESSION: &str = "session.timeout.ms=6000";
/// Replicas of each stage.
pub(crate) const REPLICAS: usize = 2;

/// One topic of the traffic, by its names.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    /// The SAL text's topic.
    pub(crate) input: String,
    /// The records' topic.
    pub(crate) output: String,
    /// The measurement in the database.
    pub(crate) measurement: String,
    pub(crate) subject: String,
    pub(crate) schema: String,
}

pub(crate) struct World {
    pub(crate) instance: Instance,
    pub(crate) cluster: Cluster,
    pub(crate) kafka: Vec<Proxy>,
    /// Behind the other proxies: it can change what brokers report about themselves.
    pub(crate) metadata: KafkaProxy,
    pub(crate) registry_link: Proxy,
    pub(crate) database_link: Proxy,
    pub(crate) answers: Answers,
    pub(crate) registry_answers: RegistryAnswers,
    pub(crate) registry: RegistryLog,
    pub(crate) database: Database,
    pub(crate) recipes: [Recipe; 2],
    pub(crate) replicas: Vec<Arc<Replica>>,
    pub(crate) claims: Claims,
    pub(crate) lines: Vec<Line>,
    /// The current schema of the line [`CHANGING`].
    pub(crate) changing_schema: Mutex<String>,
    pub(crate) traffic: Arc<Traffic>,
    pub(crate) audit: Audit,
    pub(crate) ledger: SharedLedger,
    pub(crate) http: reqwest::Client,
    /// The kinds that several concurrent faults consist of.
    pub(crate) combinable: Vec<Kind>,
    /// Undisturbed time after which something that waits is stuck.
    pub(crate) stuck_after: Duration,
    /// Whether waits are short.
    pub(crate) quick: bool,
    _watch: Watch,
}

impl World {
    /// The folder of the replicas' logs.
    pub(crate) fn logs(&self) -> &Path {
        &self.recipes[0].logs
    }
}

/// The consumer group of a stage.
pub(crate) fn group(stage: Stage) -> &'static str {
    match stage {
        Stage::Transform => "faults-saltransform",
        Stage::Sink => "faults-influxsink",
    }
}

impl World {
    /// Prepares topics and schemas, starts two replicas of each stage, and then the traffic.
    pub(crate) async fn start(args: &Args) -> Outcome<Self> {
        let instance = Instance::open(&args.services)?;
        let http = reqwest::Client::builder().no_proxy().build();
        let http = http.map_err(Failure::http("make an HTTP client"))?;
        let mut kafka = Vec::new();
        let metadata = KafkaProxy::start(instance.get("BROKER_BEHIND")?)
            .map_err(Failure::io("start the proxy that knows Kafka's protocol"))?;
        let behind: Result<Vec<SocketAddr>, _> =
            metadata.bootstrap_servers().split(',').map(str::parse).collect();
        let behind =
            behind.map_err(|error| Failure::Unexpected(format!("the proxy's addresses: {error}")))?;
        let fronts = instance.addresses("BROKER_FRONT")?;
        for (front, upstream) in fronts.into_iter().zip(behind) {
            kafka.push(Proxy::start(Some(front), upstream).await?);
        }
        let registry_url = instance.get("SCHEMAREGISTRY")?;
        let (registry_answers, answering) = RegistryAnswers::start(registry_url).await?;
        let registry_link = Proxy::start(None, answering).await?;
        let (answers, answering) = Answers::start(instance.get("INFLUXDB")?).await?;
        let database_link = Proxy::start(None, answering).await?;
        let [org, bucket, token] =
            ["INFLUXDB_ORG", "INFLUXDB_BUCKET", "INFLUXDB_TOKEN"].map(|key| instance.get(key));
        let database = Database::new(instance.get("INFLUXDB")?, org?, bucket?, token?)?;

        let (lines, shapes) = topics()?;
        let registry = RegistryLog::new(registry_url)?;
        for line in &lines {
            registry.register(&line.subject, &line.schema).await?;
        }
        let cluster = Cluster::new(instance.get("BROKER")?)?;
        let mut names: Vec<String> = lines
            .iter()
            .flat_map(|line| [line.input.clone(), line.output.clone()])
            .collect();
        names.sort();
        names.dedup();
        cluster.create(&names).await?;
        cluster.wait_in_step(&instance, 60).await?;

        let recipes = recipes(args, &instance, &kafka, &registry_link, &database_link)?;
        let mut replicas = Vec::new();
        for recipe in &recipes {
            for number in 1..=REPLICAS {
                replicas.push(Arc::new(Replica::start(recipe, number)?));
            }
        }
        for replica in &replicas {
            replica.wait_ready(&http, 60).await?;
        }
        let ledger = SharedLedger::default();
        let letters =
            [Stage::Transform, Stage::Sink].map(|stage| (format!("{}.dead-letter", group(stage)), stage));
        let watched = Topics {
            outputs: lines.iter().map(|line| line.output.clone()).collect(),
            letters: letters.to_vec(),
        };
        let audit = Audit::start(instance.get("BROKER")?, watched, Arc::clone(&ledger))?;
        let weights = TOPICS.map(|(_, weight)| weight);
        let traffic = Arc::new(Traffic::start(
            instance.get("BROKER")?,
            shapes.into_iter().zip(weights).collect(),
            args.rate,
            args.seed,
            Arc::clone(&ledger),
        )?);
        let claims = Claims::default();
        let watch = Watch::start(Watched {
            replicas: replicas.clone(),
            claims: claims.clone(),
            traffic: Arc::clone(&traffic),
            ledger: Arc::clone(&ledger),
            http: http.clone(),
            limit: Duration::from_secs(args.stuck_after),
        });
        let kinds = Kind::value_variants().iter().copied();
        let combinable = kinds.filter(|kind| kind.is_enabled(args.quick));
        Ok(Self {
            cluster,
            kafka,
            metadata,
            registry_link,
            database_link,
            answers,
            registry_answers,
            registry,
            database,
            recipes,
            replicas,
            claims,
            changing_schema: Mutex::new(lines[CHANGING].schema.clone()),
            lines,
            traffic,
            audit,
            ledger,
            http,
            combinable: combinable.collect(),
            quick: args.quick,
            stuck_after: Duration::from_secs(args.stuck_after),
            _watch: watch,
            instance,
        })
    }

    /// The replicas of a stage, as indices into `replicas`.
    pub(crate) fn replicas_of(&self, stage: Stage) -> Vec<usize> {
        let all = self.replicas.iter().enumerate();
        all.filter(|(_, replica)| replica.stage == stage)
            .map(|(place, _)| place)
            .collect()
    }

    /// Stops a replica like Kubernetes; records a complaint if it does not end in time.
    pub(crate) async fn terminate(&self, replica: &Replica) -> Outcome<Ended> {
        let ended = replica.terminate().await?;
        if !ended.in_time {
            lock(&self.ledger).note_stuck(format!(
                "{} had not ended {} s after SIGTERM",
                replica.name,
                STOP_WITHIN.as_secs()
            ));
        }
        Ok(ended)
    }

    /// The topics that a stage reads.
    pub(crate) fn topics_of(&self, stage: Stage) -> Vec<String> {
        let topic = |line: &Line| match stage {
            Stage::Transform => line.input.clone(),
            Stage::Sink => line.output.clone(),
        };
        let mut topics: Vec<String> = self.lines.iter().map(topic).collect();
        topics.sort();
        topics.dedup();
        topics
    }
}

fn topics() -> Outcome<(Vec<Line>, Vec<TopicShape>)> {
    let folder = root().join("schemas");
    let interfaces = SchemaDir::read(&folder).map_err(|error| Failure::Unexpected(stage::chain(&error)))?;
    let options = Options {
        wire_extras: true,
        ..Options::default()
    };
    let schemas = interfaces.schemas(&options).schemas;
    let (mut lines, mut shapes) = (Vec::new(), Vec::new());
    for (topic, _) in TOPICS {
        let schema = schemas
            .iter()
            .find(|schema| schema.topic.as_str() == topic)
            .ok_or_else(|| Failure::Unexpected(format!("{} holds no {topic}", folder.display())))?;
        let shape = shape(&schema.text, &schema.kafka_topic)?;
        lines.push(Line {
            input: format!("{}_{}", shape.name.component(), shape.name.kind().wire_word()),
            output: schema.kafka_topic.clone(),
            measurement: format!("lsst.sal.{topic}"),
            subject: schema.subject.clone(),
            schema: schema.text.clone(),
        });
        shapes.push(shape);
    }
    Ok((lines, shapes))
}

/// Reads a schema as salmock does.
pub(crate) fn shape(schema: &str, topic: &str) -> Outcome<TopicShape> {
    TopicShape::read(schema, topic).map_err(|error| Failure::Unexpected(stage::chain(&error)))
}

fn recipes(
    args: &Args,
    instance: &Instance,
    kafka: &[Proxy],
    registry: &Proxy,
    database: &Proxy,
) -> Outcome<[Recipe; 2]> {
    std::fs::create_dir_all(&args.logs).map_err(Failure::io(format!("make {}", args.logs.display())))?;
    let beside = std::env::current_exe().map_err(Failure::io("find this program"))?;
    let binaries = args.binaries.clone();
    let binaries = binaries.unwrap_or_else(|| beside.parent().map(PathBuf::from).unwrap_or_default());
    let broker: Vec<String> = kafka.iter().map(|proxy| proxy.front.to_string()).collect();
    let places = [
        "--broker",
        &broker.join(","),
        "--schema-registry",
        &format!("http://{}", registry.front),
        "--auto-offset-reset",
        &args.auto_offset_reset,
        "--group-protocol",
        &args.group_protocol,
        "--unknown-schema-grace",
        GRACE,
    ];
    // With the newer protocol the broker decides: `scripts/services` starts it with the same timeout.
    let session: &[&str] = match args.group_protocol.as_str() {
        "classic" => &["-X", SESSION],
        _ => &[],
    };
    let recipe = |stage, binary: &str, flags: &[&str], more: &[String]| Recipe {
        stage,
        binary: binaries.join(binary),
        arguments: ["run"]
            .iter()
            .chain(flags)
            .chain(&places)
            .chain(session)
            .chain(&["--group", group(stage)])
            .map(|argument| (*argument).to_owned())
            .chain(more.iter().cloned())
            .collect(),
        environment: Vec::new(),
        logs: args.logs.clone(),
    };
    let mut transform_args = args.transform_arg.clone();
    transform_args.extend(args.exactly_once.then(|| "--exactly-once".to_owned()));
    let transform = recipe(
        Stage::Transform,
        "saltransform",
        &["--schema-refresh", "1", "--subsystem", "ATDome,Test,MTM1M3TS"],
        &transform_args,
    );
    let flags = ["--topic-regex", RECORDS, "--request-timeout", "4"];
    let mut sink = recipe(Stage::Sink, "influxsink", &flags, &args.sink_arg);
    for key in ["INFLUXDB_ORG", "INFLUXDB_BUCKET", "INFLUXDB_TOKEN"] {
        sink.environment
            .push((key.to_owned(), instance.get(key)?.to_owned()));
    }
    let url = format!("http://{}", database.front);
    sink.environment.push(("INFLUXDB_URL".to_owned(), url));
    Ok([transform, sink])
}
