//! A console as the tests of its pages start it: on a free port, until it is dropped. Broker, registry and what they hold
//! are each test's own.

use std::time::Duration;

use console::{Access, Console, Settings};
use devstack::RegistryServer;
use reqwest::{Client, Response};
use stage::config::{KafkaArgs, RegistryArgs};
use stage::service::Shutdown;
use tokio::net::TcpListener;

pub(crate) struct Served {
    /// Ends with a slash.
    pub(crate) address: String,
    pub(crate) client: Client,
    pub(crate) shutdown: Shutdown,
}

/// A console that may change nothing, of a broker that is embedded and answers no question about settings. It looks at the
/// groups once.
pub(crate) fn settings(broker: &str, registry: &RegistryServer) -> Settings {
    Settings {
        kafka: KafkaArgs::at(broker),
        registry: RegistryArgs::at(registry.url()),
        metrics: Vec::new(),
        database: None,
        connect: None,
        access: Access::ReadOnly,
        interval: Duration::from_secs(3_600),
        is_demo: true,
    }
}

impl Served {
    pub(crate) async fn start(settings: Settings, client: Client) -> Self {
        let shutdown = Shutdown::new(Duration::from_secs(1));
        let console = Console::new(settings, shutdown.clone()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(console.serve(listener));
        Self {
            address,
            client,
            shutdown,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        let url = format!("{}{path}", self.address);
        self.client.get(url).send().await.unwrap()
    }

    pub(crate) async fn text(&self, path: &str) -> String {
        self.get(path).await.text().await.unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.shutdown.ask();
    }
}
