//! Whatever runs long ends when it is told to, by SIGTERM, SIGHUP or a closed terminal: also while a broker does not
//! answer it. A stage under `nohup` outlives its terminal.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed step is a failed test"
)]

mod terminal;

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use devstack::{Broker, RegistryServer};
use system_tests::command;
use terminal::{Session, TIMEOUT, Terminal, wait};

/// They run until something ends them.
const ENDLESS: [&str; 11] = [
    "kafkaefd top --metrics 127.0.0.1:1",
    "kafkaefd console --port 0",
    "kafkaefd admin connectors create influxdb-sink --filter words --daemon",
    "kafkaefd tail words",
    "kafkaefd tail words --output |cat",
    "kafkaefd produce words",
    "kafkaefd inject others --from-topic words --chunk 1 --every 1h",
    "kafkaefd helloworld consume --topic words",
    "kafkaefd helloavro consume --topic records",
    "kafkaefd demo --topics 1",
    "salmock consume words",
];

/// They wait for a broker that accepts connections and never answers.
const WAITING: [&str; 11] = [
    "kafkaefd top",
    "kafkaefd latency",
    "kafkaefd tail words",
    "kafkaefd groups list",
    "kafkaefd admin topics list",
    "kafkaefd dead-letters replay --yes",
    "kafkaefd load --topics 1",
    "kafkaefd produce words",
    "kafkaefd helloworld produce",
    "kafkaefd inject words --from-topic words",
    "salmock consume words",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Terminate,
    HangUp,
    Closed(Session),
}

const ENDS: [End; 4] = [
    End::Terminate,
    End::HangUp,
    End::Closed(Session::Own),
    End::Closed(Session::Foreign),
];

impl End {
    fn session(self) -> Session {
        match self {
            Self::Closed(session) => session,
            Self::Terminate | Self::HangUp => Session::Own,
        }
    }

    fn bring(self, terminal: &mut Terminal) {
        match self {
            Self::Terminate => terminal.signal("-TERM"),
            Self::HangUp => terminal.signal("-HUP"),
            Self::Closed(_) => terminal.close(),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_runs_without_end_ends_when_told_to() {
    let broker = Broker::start().unwrap();
    let registry = RegistryServer::start().await.unwrap();
    for topic in ["words", "others", "records"] {
        broker.create_topic(topic, 1).unwrap();
    }
    let connect = kafka_connect();
    let start = |line: &str, session| {
        let mut command = command(line);
        command
            .env("BROKER", broker.bootstrap_servers())
            .env("KAFKA_CONNECT", &connect)
            .env("SCHEMAREGISTRY", registry.url());
        Terminal::start(&command, 80, session)
    };
    tokio::task::block_in_place(|| {
        let mut words = start("kafkaefd helloworld produce --topic words", Session::Own);
        assert_eq!(words.exit_code(), 0, "{}", words.shown());
        for end in ENDS {
            let mut running: Vec<(&str, Terminal)> = ENDLESS
                .iter()
                .map(|line| (*line, start(line, end.session())))
                .collect();
            for (line, terminal) in &running {
                terminal.wait_until_it_listens();
                if line.contains(" top ") {
                    terminal.wait_for("q quit");
                }
            }
            running.iter_mut().for_each(|(_, terminal)| end.bring(terminal));
            for (line, terminal) in &mut running {
                ended(line, end, terminal);
                // A demo that produced nothing has failed.
                if end == End::Terminate && !line.contains("demo") {
                    assert_eq!(terminal.exit_code(), 0, "{line}: {}", terminal.shown());
                }
            }
        }
    });
}

#[test]
fn what_waits_for_a_broker_ends_when_told_to() {
    for end in ENDS {
        let mut waiting: Vec<_> = WAITING
            .iter()
            .map(|line| {
                let mute = Mute::start();
                let mut command = command(line);
                command.env("BROKER", &mute.address);
                (line, Terminal::start(&command, 80, end.session()), mute)
            })
            .collect();
        waiting.iter_mut().for_each(|(_, _, mute)| mute.wait());
        waiting
            .iter_mut()
            .for_each(|(_, terminal, _)| end.bring(terminal));
        for (line, terminal, _) in &waiting {
            ended(line, end, terminal);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stages_drain_when_their_terminal_hangs_up() {
    let broker = Broker::start().unwrap();
    let registry = RegistryServer::start().await.unwrap();
    broker.create_topic("Mock_telemetry", 1).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite:{}", folder.path().join("points").display());
    let stages = [
        "saltransform run --topic Mock_telemetry --prometheus-port 0".to_owned(),
        format!("influxsink run Mock_telemetry --prometheus-port 0 --into {database}"),
        format!(
            "salmock produce --topic ATDome_position --prometheus-port 0 --schemas {}",
            system_tests::root().join("schemas").display()
        ),
    ];
    tokio::task::block_in_place(|| {
        for line in &stages {
            let mut command = command(line);
            command
                .env("BROKER", broker.bootstrap_servers())
                .env("SCHEMAREGISTRY", registry.url());
            let mut terminal = Terminal::start(&command, 80, Session::Own);
            terminal.wait_until_it_listens();
            terminal.signal("-HUP");
            assert_eq!(terminal.exit_code(), 0, "{line}: {}", terminal.shown());
            assert!(
                terminal.shown().contains("stopped; everything"),
                "{}",
                terminal.shown()
            );

            // What nohup does, which also redirects the output.
            let mut nohup = Command::new("sh");
            nohup.args(["-c", "trap '' HUP; exec \"$@\"", "sh"]);
            nohup.arg(command.get_program()).args(command.get_args());
            nohup.envs(
                command
                    .get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            );
            let mut terminal = Terminal::start(&nohup, 80, Session::Own);
            wait("the port is open", || {
                let shown = terminal.shown();
                shown.contains("metrics and readiness are served").then_some(())
            });
            terminal.signal("-HUP");
            terminal.close();
            // A signal that is ignored leaves no trace; the next one does.
            assert!(terminal.is_running(), "{line}");
            terminal.signal("-TERM");
            wait("it ends", || (!terminal.is_running()).then_some(()));
        }
    });
}

/// Waits for the end, which must not take as long as a time-out of the library would.
fn ended(line: &str, end: End, terminal: &Terminal) {
    wait(&format!("{line} ends ({end:?}):\n{}", terminal.shown()), || {
        (!terminal.is_running()).then_some(())
    });
}

/// The address of a stand-in for Kafka Connect that has created whatever it is asked for.
fn kafka_connect() -> String {
    const CREATED: &str = r#"{"name": "influxdb-sink", "config": {}, "tasks": [], "type": "sink"}"#;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    // It ends with the test.
    std::thread::spawn(move || {
        for mut link in listener.incoming().flatten() {
            let mut request = vec![0; 1 << 16];
            let _ = link.read(&mut request);
            let head = "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nConnection: close";
            let _ = write!(
                link,
                "{head}\r\nContent-Length: {}\r\n\r\n{CREATED}",
                CREATED.len()
            );
        }
    });
    address
}

/// A broker that accepts connections and never answers.
struct Mute {
    address: String,
    connected: Receiver<TcpStream>,
    /// They stay open.
    links: Vec<TcpStream>,
}

impl Mute {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (connect, connected) = channel();
        // It ends with the test.
        std::thread::spawn(move || {
            for link in listener.incoming().flatten() {
                if connect.send(link).is_err() {
                    return;
                }
            }
        });
        Self {
            address,
            connected,
            links: Vec::new(),
        }
    }

    fn wait(&mut self) {
        self.links.push(self.connected.recv_timeout(TIMEOUT).unwrap());
        // What connects next is kept open by the channel.
        while let Ok(link) = self.connected.recv_timeout(Duration::from_millis(1)) {
            self.links.push(link);
        }
    }
}
