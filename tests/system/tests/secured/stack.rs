//! What each test has: its own users and permissions, topics with its own prefix, and administrator access.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::BaseRecord;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use serde_json::{Value as Json, json};

use super::rights::Names;
use crate::mocked;
use crate::real::{Services, root, unique, until};

/// The timeout for one request to a service.
const TIMEOUT: Duration = Duration::from_secs(60);

/// How a client authenticates.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mechanism {
    Mtls,
    Scram,
    Oauth,
}

/// The secured services, and the test's own names in them.
pub(crate) struct Secured {
    pub(crate) services: Services,
    pub(crate) folder: tempfile::TempDir,
    /// The prefix of all topics, groups and users of the test.
    pub(crate) name: String,
    pub(crate) runtime: tokio::runtime::Runtime,
    /// Trusts the services' certificate authority.
    pub(crate) http: reqwest::Client,
}

impl Secured {
    /// `None` if there are no secured services, which is printed (with CI=true it fails).
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

    /// A file in the folder of certificates.
    pub(crate) fn cert(&self, file: &str) -> String {
        format!("{}/{file}", self.services.get("SECURED_CERTS"))
    }

    /// A file of this test.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The listener for a mechanism.
    pub(crate) fn broker(&self, mechanism: Mechanism) -> &str {
        self.services.get(match mechanism {
            Mechanism::Mtls => "SECURED_BROKER_MTLS",
            Mechanism::Scram => "SECURED_BROKER_SCRAM",
            Mechanism::Oauth => "SECURED_BROKER_OAUTH",
        })
    }

    /// Settings for a client certificate from the folder of certificates.
    pub(crate) fn mtls(&self, certificate: &str) -> String {
        let password = self.services.get("SECURED_KEY_PASSWORD");
        // The keys of those that must be refused are not encrypted, and then a password does no harm.
        format!(
            "security.protocol=ssl\nssl.ca.location={}\nssl.certificate.location={}\nssl.key.location={}\nssl.key.password={password}\n",
            self.cert("ca.pem"),
            self.cert(&format!("{certificate}.pem")),
            self.cert(&format!("{certificate}.key")),
        )
    }

    /// Settings for a user with a password.
    pub(crate) fn scram(&self, user: &str, password: &str) -> String {
        format!(
            "security.protocol=sasl_ssl\nssl.ca.location={}\nsasl.mechanisms=SCRAM-SHA-512\nsasl.username={user}\nsasl.password={password}\n",
            self.cert("ca.pem"),
        )
    }

    /// Flags for a client of a listener, with its settings in a file.
    pub(crate) fn client(&self, mechanism: Mechanism, file: &str, settings: &str) -> Vec<String> {
        let path = self.file(file, settings);
        words(&[
            "--broker",
            self.broker(mechanism),
            "--kafka-config-file",
            &path.display().to_string(),
        ])
    }

    /// Flags for the registry as its administrator.
    pub(crate) fn registry(&self) -> Vec<String> {
        let password = self.file(
            "registry-password",
            self.services.get("SECURED_SCHEMAREGISTRY_PASSWORD"),
        );
        self.registry_as("admin", &password)
    }

    /// Flags for the registry as a user.
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

    /// Runs an administrator's action through the Python peer; returns its output.
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

    /// Creates a SCRAM user or changes its password.
    pub(crate) fn set_password(&self, user: &str, password: &str) {
        self.administer(&["user", user, password]);
    }

    /// A signed token for a subject.
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

    /// Creates topics with one partition; existing ones are kept.
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

    /// Produces values and waits for the acknowledgements.
    pub(crate) fn produce(&self, topic: &str, values: impl IntoIterator<Item = Vec<u8>>) {
        let producer = testkit::producer(&self.admin());
        for value in values {
            producer
                .send(BaseRecord::<(), _>::to(topic).payload(&value))
                .map_err(|(error, _)| error)
                .unwrap();
        }
        testkit::deliver(&producer);
    }

    /// All values of a topic with one partition, from its beginning to its current end.
    pub(crate) fn values(&self, topic: &str) -> Vec<Vec<u8>> {
        let consumer: BaseConsumer = self.admin().set("group.id", "reader").create().unwrap();
        let (low, high) = consumer.fetch_watermarks(topic, 0, TIMEOUT).unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, 0, Offset::Beginning).unwrap();
        consumer.assign(&list).unwrap();
        (low..high)
            .map(|_| {
                let message = consumer.poll(TIMEOUT).expect("the partition has more").unwrap();
                message.payload().unwrap_or_default().to_vec()
            })
            .collect()
    }

    /// A group's committed offset on a topic with one partition; `None` before its first commit.
    pub(crate) fn committed(&self, group: &str, topic: &str) -> Option<i64> {
        let consumer: BaseConsumer = self.admin().set("group.id", group).create().unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition(topic, 0);
        // A broker that has just started loads its groups first.
        let committed = until("the group's offsets", TIMEOUT.as_secs(), || {
            consumer
                .committed_offsets(list.clone(), TIMEOUT)
                .map_err(|error| error.to_string())
        });
        match committed.elements()[0].offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        }
    }

    /// Creates saltransform's input and output topics and registers the schema of the output.
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

    /// The resources on which saltransform needs permissions.
    pub(crate) fn names(&self, input: &str, output: &str) -> Names {
        Names {
            input: input.to_owned(),
            output: output.to_owned(),
            group: format!("{}.transform", self.name),
        }
    }

    /// Posts to the registry as its administrator.
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

pub(crate) fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// A message of the mocked topic; consecutive numbers are one second apart.
pub(crate) fn message(sequence: usize) -> Vec<u8> {
    let seconds = 1_556_000_000 + sequence as i64;
    mocked::text(sequence, seconds * 1_000 + 125, "secured").into_bytes()
}
