//! The bodies of the fuzz targets for schema registries, which stage's tests also run on the corpora: our
//! client against arbitrary responses, the embedded registry against arbitrary requests.

use std::sync::{Arc, Mutex};

use devstack::RegistryServer;
use serde_json::Value;
use stage::config::RegistryArgs;
use stage::registry::{Registry, RegistryError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

/// The separator of requests in an input of [`api`].
const BETWEEN: &[u8] = b"\n----\n";

struct Answering {
    runtime: Runtime,
    url: String,
    answer: Arc<Mutex<Vec<u8>>>,
}

thread_local! {
    static ANSWERING: Answering = Answering::start();
    static RUNTIME: Runtime = runtime();
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

impl Answering {
    /// A server that gives the same response to everything.
    fn start() -> Answering {
        let runtime = runtime();
        let answer = Arc::<Mutex<Vec<u8>>>::default();
        let listener = runtime
            .block_on(TcpListener::bind("127.0.0.1:0"))
            .expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let given = Arc::clone(&answer);
        runtime.spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let answer = given.lock().expect("not poisoned").clone();
                tokio::spawn(async move {
                    let mut request = Http::default();
                    request.read(&mut stream).await;
                    let _ = stream.write_all(&answer).await;
                });
            }
        });
        Answering { runtime, url, answer }
    }
}

/// Arbitrary bytes as the response of a registry. The input's first line is the call (`id`, `latest`,
/// `subjects`, `register`) and the response's status, the rest its body.
pub fn answers(bytes: &[u8]) {
    let (first, body) = match bytes.iter().position(|byte| *byte == b'\n') {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => return,
    };
    let Some((call, status)) = std::str::from_utf8(first)
        .ok()
        .and_then(|line| line.split_once(' '))
    else {
        return;
    };
    // 1xx and 204 have no body.
    let Some(status) = status
        .parse::<u16>()
        .ok()
        .filter(|status| matches!(status, 200 | 300..600))
    else {
        return;
    };
    let head = format!(
        "HTTP/1.1 {status} x\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    ANSWERING.with(|answering| {
        *answering.answer.lock().expect("not poisoned") = [head.as_bytes(), body].concat();
        answering
            .runtime
            .block_on(ask(&answering.url, call, status, body));
    });
}

async fn ask(url: &str, call: &str, status: u16, body: &[u8]) {
    let registry = Registry::new(&RegistryArgs::at(url)).expect("a client");
    // reqwest reads text this way: invalid UTF-8 becomes U+FFFD.
    let json: Option<Value> = serde_json::from_str(&String::from_utf8_lossy(body)).ok();
    let member = |key| json.as_ref().and_then(|json| json.get(key));
    let result = match call {
        "id" => registry.schema_by_id(7).await.map(|schema| {
            assert_eq!(schema.id, 7);
            assert_eq!(member("schema").and_then(Value::as_str), Some(&*schema.raw));
        }),
        "latest" => registry.latest("a-value").await.map(|schema| {
            assert_eq!(member("id").and_then(Value::as_u64), Some(schema.id.into()));
            assert_eq!(member("schema").and_then(Value::as_str), Some(&*schema.raw));
        }),
        "register" => registry.register("a-value", "\"int\"").await.map(|id| {
            assert_eq!(member("id").and_then(Value::as_u64), Some(id.into()));
        }),
        _ => registry
            .subjects()
            .await
            .map(|subjects| assert!(subjects.is_sorted())),
    };
    match result {
        Ok(()) => assert_eq!(status, 200, "an error was taken for a success"),
        Err(error) => {
            let text = stage::chain(&error);
            assert!(!text.chars().any(char::is_control), "{text:?}");
            // Only the registry's own error code may turn a message into a dead letter.
            if matches!(
                error,
                RegistryError::Missing { .. } | RegistryError::Refused { .. }
            ) {
                assert!(member("error_code").is_some(), "{error:?}");
            }
        }
    }
}

/// Arbitrary requests to the embedded registry, separated by lines `----`: `METHOD /path`, and the body from
/// the next line on. Each gets a JSON response, and what was registered is returned.
pub fn api(bytes: &[u8]) {
    let mut rest = bytes;
    let mut requests = Vec::new();
    while let Some(at) = rest.windows(BETWEEN.len()).position(|window| window == BETWEEN) {
        requests.push(&rest[..at]);
        rest = &rest[at + BETWEEN.len()..];
    }
    requests.push(rest);
    RUNTIME.with(|runtime| {
        runtime.block_on(async {
            let server = RegistryServer::start().await.expect("a port");
            let address = server.url().replace("http://", "");
            let mut stream = TcpStream::connect(address).await.expect("it listens");
            for request in requests {
                one(&mut stream, request).await;
            }
        });
    });
}

async fn one(stream: &mut TcpStream, request: &[u8]) {
    let (line, body) = match request.iter().position(|byte| *byte == b'\n') {
        Some(at) => (&request[..at], &request[at + 1..]),
        None => (request, &[][..]),
    };
    let Some((method, path)) = std::str::from_utf8(line)
        .ok()
        .and_then(|line| line.split_once(' '))
    else {
        return;
    };
    // hyper rejects an invalid request line itself and would close the connection.
    let is_plain = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}#".contains(&byte))
    };
    if !matches!(method, "GET" | "PUT" | "POST" | "DELETE") || !path.starts_with('/') || !is_plain(path) {
        return;
    }
    let (status, answer) = exchange(stream, method, path, body).await;
    assert!((200..500).contains(&status), "{status}");
    // These two return a schema's own text.
    let json = serde_json::from_slice::<Value>(&answer);
    let json = json.unwrap_or_else(|error| panic!("{method} {path}: {status}: {error}"));
    if status != 200 {
        assert!(json.get("error_code").is_some_and(Value::is_u64), "{json}");
        return;
    }
    if method == "POST" && path.starts_with("/subjects/") && path.ends_with("/versions") {
        let id = json.get("id").and_then(Value::as_u64).expect("an id");
        let (_, known) = exchange(stream, "GET", &format!("/schemas/ids/{id}/schema"), b"").await;
        let given: Value = serde_json::from_slice(body).expect("a body that was taken");
        let given = given
            .get("schema")
            .and_then(Value::as_str)
            .expect("a schema that was taken");
        let given: Value = serde_json::from_str(given).expect("JSON");
        assert_eq!(given, serde_json::from_slice::<Value>(&known).expect("JSON"));
    }
}

async fn exchange(stream: &mut TcpStream, method: &str, path: &str, body: &[u8]) -> (u16, Vec<u8>) {
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream
        .write_all(&[head.as_bytes(), body].concat())
        .await
        .expect("the server reads");
    let mut answer = Http::default();
    answer.read(stream).await;
    let status = answer.head.get(9..12).and_then(|status| status.parse().ok());
    (
        status.unwrap_or_else(|| panic!("{method} {path}: no answer, {:?}", answer.head)),
        answer.body,
    )
}

/// A minimal HTTP client: a head, and as many bytes as it announces.
#[derive(Default)]
struct Http {
    head: String,
    body: Vec<u8>,
}

impl Http {
    async fn read(&mut self, stream: &mut TcpStream) {
        let mut bytes = Vec::new();
        let end = loop {
            if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            if stream.read_buf(&mut bytes).await.unwrap_or_default() == 0 {
                return;
            }
        };
        self.body = bytes.split_off(end);
        self.head = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
        let length = self
            .head
            .split("content-length: ")
            .nth(1)
            .and_then(|rest| rest.split('\r').next());
        let length = length.and_then(|digits| digits.parse().ok()).unwrap_or(0);
        while self.body.len() < length && stream.read_buf(&mut self.body).await.unwrap_or_default() > 0 {}
    }
}
