//! A loopback proxy in front of Kafka brokers that understands Kafka's protocol, for testing rare behaviour
//! of clusters (metadata responses without brokers, a broker that is silent to some clients only, or a partition
//! that a client never gets anything of), and what a question costs: it counts the requests by API key.
//!
//! Clients that start from [`KafkaProxy::bootstrap_servers`] stay behind the proxy: the ports in the brokers'
//! responses are replaced by the proxy's own. For plaintext connections to loopback addresses.

mod answer;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use self::answer::{FETCH, FIND_COORDINATOR, Listed, METADATA};

/// Larger frames end their connection.
const MAX_BYTES: usize = 256 << 20;

/// Selects clients by their `client.id`.
type Clients = Box<dyn Fn(&str) -> bool + Send + Sync>;

/// The proxy. It ends, with all its connections, when it is dropped.
pub struct KafkaProxy {
    bootstrap_servers: String,
    shared: Arc<Shared>,
    over: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    /// The proxy's port for each broker port.
    fronts: HashMap<i32, i32>,
    rules: Mutex<Rules>,
    /// Notified of each change of the rules.
    changed: watch::Sender<()>,
    /// The requests so far by API key.
    requests: Mutex<BTreeMap<i16, u64>>,
}

struct Rules {
    forgetful_to: Clients,
    /// The number of responses still to change.
    answers: usize,
    /// The number of responses changed so far.
    given: usize,
    silent_to: Clients,
    /// A partition that is left out of responses to fetches, on connections before the one with this number.
    starved: Option<(i32, u64)>,
    /// The number of connections so far.
    connections: u64,
}

impl KafkaProxy {
    /// Starts a proxy with a port for each broker; `brokers` is a comma-separated list of `127.0.0.1:<port>`.
    ///
    /// # Errors
    /// When an address is invalid, or no port can be bound.
    pub fn start(brokers: &str) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()?;
        let (mut listeners, mut fronts, mut addresses) = (Vec::new(), HashMap::new(), Vec::new());
        for broker in brokers.split(',') {
            let broker: SocketAddr = broker.trim().parse().map_err(io::Error::other)?;
            let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            listener.set_nonblocking(true)?;
            let front = listener.local_addr()?;
            fronts.insert(broker.port().into(), front.port().into());
            addresses.push(front.to_string());
            listeners.push((listener, broker));
        }
        let shared = Arc::new(Shared {
            fronts,
            rules: Mutex::new(Rules {
                forgetful_to: Box::new(|_| false),
                answers: 0,
                given: 0,
                silent_to: Box::new(|_| false),
                starved: None,
                connections: 0,
            }),
            changed: watch::Sender::new(()),
            requests: Mutex::default(),
        });
        let (over, mut ended) = watch::channel(false);
        let serving = Arc::clone(&shared);
        let serve = move || {
            runtime.block_on(async move {
                for (listener, broker) in listeners {
                    if let Ok(listener) = TcpListener::from_std(listener) {
                        tokio::spawn(listen(listener, broker, Arc::clone(&serving)));
                    }
                }
                let _ = ended.wait_for(|over| *over).await;
            });
        };
        let thread = std::thread::Builder::new()
            .name("kafka-proxy".to_owned())
            .spawn(serve)?;
        Ok(Self {
            bootstrap_servers: addresses.join(","),
            shared,
            over,
            thread: Some(thread),
        })
    }

    /// For `bootstrap.servers`.
    pub fn bootstrap_servers(&self) -> &str {
        &self.bootstrap_servers
    }

    /// The requests so far, of all clients, by the name of their API key, such as `ListOffsets`. Each is counted when it
    /// arrives, also one that is then held back.
    pub fn requests(&self) -> BTreeMap<&'static str, u64> {
        let mut named = BTreeMap::new();
        for (kind, count) in self.shared.count().iter() {
            *named.entry(answer::name(*kind)).or_default() += count;
        }
        named
    }

    /// The next `count` metadata responses with topics for these clients contain no brokers, like those of a
    /// fenced broker.
    pub fn forget_brokers(&self, answers: usize, clients: impl Fn(&str) -> bool + Send + Sync + 'static) {
        let mut rules = self.shared.rules();
        rules.forgetful_to = Box::new(clients);
        (rules.answers, rules.given) = (answers, 0);
    }

    /// The number of such responses given so far.
    pub fn forgotten(&self) -> usize {
        self.shared.rules().given
    }

    /// From now on, nothing passes from or to these clients, on existing and new connections, and nothing is
    /// closed; until the next call.
    pub fn silence(&self, clients: impl Fn(&str) -> bool + Send + Sync + 'static) {
        self.shared.rules().silent_to = Box::new(clients);
        self.shared.changed.send_replace(());
    }

    /// From now on, this partition of each topic is missing in the responses to fetches on the connections that exist
    /// now, as if it were not fetched. Everything else passes.
    pub fn starve(&self, partition: i32) {
        let mut rules = self.shared.rules();
        rules.starved = Some((partition, rules.connections));
    }
}

impl Drop for KafkaProxy {
    fn drop(&mut self) {
        self.over.send_replace(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl std::fmt::Debug for KafkaProxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaProxy")
            .field("bootstrap_servers", &self.bootstrap_servers)
            .finish_non_exhaustive()
    }
}

impl Shared {
    fn rules(&self) -> MutexGuard<'_, Rules> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self) -> MutexGuard<'_, BTreeMap<i16, u64>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits as long as nothing may pass from or to the client.
    async fn wait_until_heard(&self, client: &str) {
        let mut changed = self.changed.subscribe();
        while (self.rules().silent_to)(client) {
            if changed.changed().await.is_err() {
                return;
            }
        }
    }

    /// The response as the client receives it.
    fn rewrite(&self, mut frame: Vec<u8>, kind: i16, version: i16, connection: &Connection) -> Vec<u8> {
        if kind == FETCH {
            let starved = self.rules().starved;
            let starved = starved.filter(|(_, before)| connection.number < *before);
            let without =
                starved.and_then(|(partition, _)| answer::without_partition(&frame, version, partition));
            return without.unwrap_or(frame);
        }
        for at in answer::ports(&frame, kind, version) {
            let Some(bytes) = frame.get_mut(at..at + 4) else {
                continue;
            };
            let port = bytes.try_into().map(i32::from_be_bytes).unwrap_or_default();
            if let Some(front) = self.fronts.get(&port) {
                bytes.copy_from_slice(&front.to_be_bytes());
            }
        }
        let listed = (kind == METADATA)
            .then(|| Listed::read(&frame, version))
            .flatten();
        let Some(listed) = listed.filter(|listed| listed.has_topics) else {
            return frame;
        };
        let mut rules = self.rules();
        if rules.answers == 0 || !(rules.forgetful_to)(&connection.client) {
            return frame;
        }
        rules.answers -= 1;
        rules.given += 1;
        listed.without_brokers(&frame)
    }
}

/// The state shared by the two directions of a connection.
#[derive(Default)]
struct Connection {
    /// How many there were before.
    number: u64,
    client: String,
    /// API key and version of open requests, by correlation id.
    asked: HashMap<i32, (i16, i16)>,
}

async fn listen(listener: TcpListener, broker: SocketAddr, shared: Arc<Shared>) {
    loop {
        // Accepting can fail for lack of file descriptors; the next attempt may succeed.
        if let Ok((client, _)) = listener.accept().await {
            tokio::spawn(serve(client, broker, Arc::clone(&shared)));
        }
    }
}

/// When either side ends, both are closed.
async fn serve(client: TcpStream, broker: SocketAddr, shared: Arc<Shared>) {
    let Ok(server) = TcpStream::connect(broker).await else {
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let number = {
        let mut rules = shared.rules();
        rules.connections += 1;
        rules.connections - 1
    };
    let connection = Mutex::new(Connection {
        number,
        ..Connection::default()
    });
    tokio::select! {
        _ = requests(from_client, to_server, &connection, &shared) => {}
        _ = answers(from_server, to_client, &connection, &shared) => {}
    }
}

async fn requests(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    connection: &Mutex<Connection>,
    shared: &Shared,
) -> io::Result<()> {
    loop {
        let frame = read(&mut from).await?;
        let head = answer::request_head(&frame);
        let client = head
            .as_ref()
            .map(|head| head.client_id.clone())
            .unwrap_or_default();
        if let Some(head) = head {
            *shared.count().entry(head.kind).or_default() += 1;
            let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            if matches!(head.kind, FETCH | METADATA | FIND_COORDINATOR) {
                connection
                    .asked
                    .insert(head.correlation, (head.kind, head.version));
            }
            connection.client = head.client_id;
        }
        shared.wait_until_heard(&client).await;
        write(&mut to, &frame).await?;
    }
}

async fn answers(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    connection: &Mutex<Connection>,
    shared: &Shared,
) -> io::Result<()> {
    loop {
        let mut frame = read(&mut from).await?;
        let client = {
            let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            let asked = answer::correlation(&frame).and_then(|id| connection.asked.remove(&id));
            if let Some((kind, version)) = asked {
                frame = shared.rewrite(frame, kind, version, &connection);
            }
            connection.client.clone()
        };
        shared.wait_until_heard(&client).await;
        write(&mut to, &frame).await?;
    }
}

async fn read(from: &mut OwnedReadHalf) -> io::Result<Vec<u8>> {
    let length = from.read_u32().await? as usize;
    if length > MAX_BYTES {
        return Err(io::Error::other("a frame is too long"));
    }
    let mut frame = vec![0; length];
    from.read_exact(&mut frame).await?;
    Ok(frame)
}

async fn write(to: &mut OwnedWriteHalf, frame: &[u8]) -> io::Result<()> {
    let length = u32::try_from(frame.len()).map_err(io::Error::other)?;
    to.write_all(&[&length.to_be_bytes(), frame].concat()).await
}
