//! What each test has: users and rights of its own, topics under a name of its own, and the administrator's hands.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use serde_json::{Value as Json, json};

use super::rights::Names;
use crate::mocked;
use crate::real::{Services, root, unique, until};

/// How long a service may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a client shows who it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mechanism {
    Mtls,
    Scram,
    Oauth,
}

/// The secured services and the test's own names in them.
pub(crate) struct Secured {
    pub(crate) services: Services,
    pub(crate) folder: tempfile::TempDir,
    /// Before all topics, groups and users of the test.
    pub(crate) name: String,
    pub(crate) runtime: tokio::runtime::Runtime,
    /// Trusts the services' authority.
    pub(crate) http: reqwest::Client,
}

impl Secured {
    /// None, said, where there are no secured services (with CI=true that fails).
    pub(crate) fn with(prefix: &str) -> Option<Self> {
        let services = Services::with(&[
            "SECURED_BROKER_MTLS",
            "SECURED_SCHEMAREGISTRY",
            "SECURED_INFLUXDB",
            "PYTHON",
        ])?;
        let ca = Path::new(services.get("SECURED_CERTS")).join("ca.pem");
        let builder = stage::tls::trusting(reqwest::Client::builder(), Some(&ca)).unwrap();
        Some(Self {
            http: builder.no_proxy().build().unwrap(),
            services,
            folder: tempfile::tempdir().unwrap(),
            name: unique(prefix),
            runtime: tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .unwrap(),
        })
    }

    /// A file of the certificates' folder.
    pub(crate) fn cert(&self, file: &str) -> String {
        format!("{}/{file}", self.services.get("SECURED_CERTS"))
    }

    /// A file of the test's own.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The listener of a mechanism.
    pub(crate) fn broker(&self, mechanism: Mechanism) -> &str {
        self.services.get(match mechanism {
            Mechanism::Mtls => "SECURED_BROKER_MTLS",
            Mechanism::Scram => "SECURED_BROKER_SCRAM",
            Mechanism::Oauth => "SECURED_BROKER_OAUTH",
        })
    }

    /// Settings of a client certificate, from the certificates' folder.
    pub(crate) fn mtls(&self, certificate: &str) -> String {
        let password = self.services.get("SECURED_KEY_PASSWORD");
        // Those that must be refused have keys that are not encrypted, for which a password does no harm.
        format!(
            "security.protocol=ssl\nssl.ca.location={}\nssl.certificate.location={}\nssl.key.location={}\nssl.key.password={password}\n",
            self.cert("ca.pem"),
            self.cert(&format!("{certificate}.pem")),
            self.cert(&format!("{certificate}.key")),
        )
    }

    /// Settings of a user with a password.
    pub(crate) fn scram(&self, user: &str, password: &str) -> String {
        format!(
            "security.protocol=sasl_ssl\nssl.ca.location={}\nsasl.mechanisms=SCRAM-SHA-512\nsasl.username={user}\nsasl.password={password}\n",
            self.cert("ca.pem"),
        )
    }

    /// Flags of a client of a listener, with its settings in a file.
    pub(crate) fn client(&self, mechanism: Mechanism, file: &str, settings: &str) -> Vec<String> {
        let path = self.file(file, settings);
        words(&[
            "--broker",
            self.broker(mechanism),
            "--kafka-config-file",
            &path.display().to_string(),
        ])
    }

    /// Flags of the registry as its administrator.
    pub(crate) fn registry(&self) -> Vec<String> {
        let password = self.file(
            "registry-password",
            self.services.get("SECURED_SCHEMAREGISTRY_PASSWORD"),
        );
        self.registry_as("admin", &password)
    }

    /// Flags of the registry as a user.
    pub(crate) fn registry_as(&self, user: &str, password_file: &Path) -> Vec<String> {
        let (ca, password) = (self.cert("ca.pem"), password_file.display().to_string());
        words(&[
            "--schema-registry",
            self.services.get("SECURED_SCHEMAREGISTRY"),
            "--schema-registry-user",
            user,
            "--schema-registry-password-file",
            &password,
            "--schema-registry-ca-file",
            &ca,
        ])
    }

    /// What an administrator does, by the Python peer; answers what it prints.
    pub(crate) fn administer(&self, arguments: &[&str]) -> String {
        let password = self.file("key-password", self.services.get("SECURED_KEY_PASSWORD"));
        let answer = Command::new(self.services.get("PYTHON"))
            .arg(root().join("tests/system/tests/secured/peer.py"))
            .arg(self.services.get("SECURED_CERTS"))
            .arg(password)
            .arg(self.broker(Mechanism::Mtls))
            .args(arguments)
            .output()
            .unwrap();
        assert!(
            answer.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&answer.stderr)
        );
        String::from_utf8(answer.stdout).unwrap().trim().to_owned()
    }

    /// A new SCRAM user, or an old one's new password.
    pub(crate) fn set_password(&self, user: &str, password: &str) {
        self.administer(&["user", user, password]);
    }

    /// A signed token of a subject.
    pub(crate) fn token(&self, subject: &str, seconds: i64) -> String {
        self.administer(&["token", subject, &seconds.to_string()])
    }

    /// The administrator's own client.
    pub(crate) fn admin(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.broker(Mechanism::Mtls));
        for line in self.mtls("admin").lines() {
            let (key, value) = line.split_once('=').unwrap();
            config.set(key, value);
        }
        config
    }

    /// Creates topics of one partition; those that exist stay.
    pub(crate) fn create_topics(&self, names: &[&str]) {
        let admin: AdminClient<DefaultClientContext> = self.admin().create().unwrap();
        let topics: Vec<_> = names
            .iter()
            .map(|name| NewTopic::new(name, 1, TopicReplication::Fixed(1)))
            .collect();
        let created = self
            .runtime
            .block_on(admin.create_topics(&topics, &AdminOptions::new()))
            .unwrap();
        for result in created {
            if let Err((name, code)) = result {
                assert_eq!(code, RDKafkaErrorCode::TopicAlreadyExists, "{name}");
            }
        }
    }

    /// Produces values and waits until the broker has them.
    pub(crate) fn produce(&self, topic: &str, values: impl IntoIterator<Item = Vec<u8>>) {
        let producer: BaseProducer = self.admin().create().unwrap();
        for value in values {
            producer
                .send(BaseRecord::<(), _>::to(topic).payload(&value))
                .map_err(|(error, _)| error)
                .unwrap();
        }
        producer.flush(PATIENCE).unwrap();
    }

    /// All values of a topic of one partition, from its start to where it ends now.
    pub(crate) fn values(&self, topic: &str) -> Vec<Vec<u8>> {
        let consumer: BaseConsumer = self.admin().set("group.id", "reader").create().unwrap();
        let (low, high) = consumer.fetch_watermarks(topic, 0, PATIENCE).unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, 0, Offset::Beginning).unwrap();
        consumer.assign(&list).unwrap();
        (low..high)
            .map(|_| {
                let message = consumer.poll(PATIENCE).expect("the partition has more").unwrap();
                message.payload().unwrap_or_default().to_vec()
            })
            .collect()
    }

    /// What a group has committed on a topic of one partition; none before its first commit.
    pub(crate) fn committed(&self, group: &str, topic: &str) -> Option<i64> {
        let consumer: BaseConsumer = self.admin().set("group.id", group).create().unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition(topic, 0);
        // A broker that has just come up loads its groups first.
        let committed = until("the group's offsets", PATIENCE.as_secs(), || {
            consumer
                .committed_offsets(list.clone(), PATIENCE)
                .map_err(|error| error.to_string())
        });
        match committed.elements()[0].offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        }
    }

    /// The topic that `saltransform` reads and the one that it writes, made, with the schema of what comes out.
    pub(crate) fn mocked(&self) -> (String, String) {
        let (input, output) = (
            format!("{}.in", self.name),
            format!("lsst.{}.Mock_state", self.name),
        );
        self.create_topics(&[&input, &output]);
        let subject = format!("/subjects/{output}-value/versions");
        self.ask_registry(&subject, &json!({ "schema": mocked::schema().to_string() }));
        (input, output)
    }

    /// What saltransform needs rights on.
    pub(crate) fn names(&self, input: &str, output: &str) -> Names {
        Names {
            input: input.to_owned(),
            output: output.to_owned(),
            group: format!("{}.transform", self.name),
        }
    }

    /// Posts to the registry, as its administrator.
    pub(crate) fn ask_registry(&self, path: &str, body: &Json) {
        let url = format!("{}{path}", self.services.get("SECURED_SCHEMAREGISTRY"));
        let password = self.services.get("SECURED_SCHEMAREGISTRY_PASSWORD");
        let request = self.http.post(url).json(body).basic_auth("admin", Some(password));
        let answer = self.runtime.block_on(request.send()).unwrap();
        answer.error_for_status().unwrap();
    }

    /// Flags of saltransform from and to the mocked topics.
    pub(crate) fn transform(&self, input: &str) -> Vec<String> {
        let group = format!("{}.transform", self.name);
        words(&[
            "run",
            "--topic",
            input,
            "--subname",
            &self.name,
            "--group",
            &group,
            "--auto-offset-reset",
            "earliest",
        ])
    }
}

/// Owned words.
pub(crate) fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// A message of the mocked topic, a second of time for each number.
pub(crate) fn message(sequence: usize) -> Vec<u8> {
    let seconds = 1_556_000_000 + sequence as i64;
    mocked::text(sequence, seconds * 1_000 + 125, "secured").into_bytes()
}
