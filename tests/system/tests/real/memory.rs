//! `influxsink run --max-memory`: while the database is unavailable for a long time, the consumer pauses,
//! stays in its group, and the process stays within its limit; afterwards everything arrives. And `kafkaefd console`: searches
//! through more messages than may be in memory.

use std::process::Command;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::producer::BaseRecord;
use testkit::influx::InfluxServer;
use testkit::prometheus::{samples, sum};

use super::mock_state::{self, Frames};
use super::{Services, unique, until};
use crate::operator::Running;
use crate::processes::Process;

const MEBIBYTES: u64 = 64;
/// More than twice what Kafka tolerates from a consumer that does not poll, with the settings used here.
const AWAY: Duration = Duration::from_secs(14);

/// 120 MB of records, several times what may be in memory.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unavailable_database_costs_neither_memory_nor_membership() {
    keeps_its_allowance(30_000, 4_000).await;
}

/// 15 MB, but each message takes 450 more bytes of memory.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_small_messages_stay_within_the_memory_limit() {
    keeps_its_allowance(150_000, 20).await;
}

/// A quarter of a million values of a few bytes in each batch, far below a broker's limit for one: librdkafka
/// turns it into 80 MB. Each of four partitions has such a batch, and there is room for two.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn packed_batches_are_unpacked_one_at_a_time() {
    const PACKED_MEBIBYTES: u64 = 256;
    let Some(services) = Services::with(&["BROKER", "SCHEMAREGISTRY"]) else {
        return;
    };
    let topic = format!("lsst.{}.Mock_state", unique("packed"));
    write_packed(&services, &topic, 250_000).await;

    let mut database = InfluxServer::start().await.unwrap();
    database.down().await;
    let port = free_port();
    let mut sink = Process::start(sink(&services, &topic, &topic, &database, PACKED_MEBIBYTES, port));
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let metrics = reqwest::get(format!("http://127.0.0.1:{port}/metrics")).await;
        if let Ok(metrics) = metrics
            && sum(&metrics.text().await.unwrap(), "kafka_consumer_paused") == Some(1.0)
        {
            break;
        }
        assert!(
            Instant::now() < deadline && sink.is_running(),
            "the consumer never paused"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let peak = peak(sink.id());
    eprintln!("peak resident memory: {peak} KiB");
    assert!(
        peak <= PACKED_MEBIBYTES << 10,
        "{peak} KiB, the limit is {PACKED_MEBIBYTES} MiB"
    );
}

/// Each batch needs more than the small limit; with the large one all are unpacked at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_limit_costs_less_than_ten_times_the_time() {
    const BATCH: usize = 100_000;
    let Some(services) = Services::with(&["BROKER", "SCHEMAREGISTRY"]) else {
        return;
    };
    let topic = format!("lsst.{}.Mock_state", unique("limits"));
    write_packed(&services, &topic, BATCH).await;

    let mut took = Vec::new();
    for mebibytes in [1024, MEBIBYTES] {
        let database = InfluxServer::start().await.unwrap();
        let group = format!("{topic}-{mebibytes}");
        let since = Instant::now();
        let port = free_port();
        let sink = Process::start(sink(&services, &topic, &group, &database, mebibytes, port));
        let all = BATCH * PACKED_PARTITIONS as usize;
        until("all records in the database", 300, || {
            let accepted = database.counts().accepted;
            if accepted as usize >= all {
                Ok(())
            } else {
                Err(format!("{accepted} of {all}"))
            }
        });
        took.push(since.elapsed());
        eprintln!(
            "--max-memory {mebibytes}: {:?}, peak {} KiB",
            since.elapsed(),
            peak(sink.id())
        );
    }
    assert!(took[1] < 10 * took[0], "{took:?}");
}

/// 120 MB of records, through which two people search at the same time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn searches_of_the_console_hold_little_of_a_large_topic() {
    const RECORDS: usize = 60_000;
    const MAX_MEBIBYTES: u64 = 96;
    let Some(services) = Services::with(&["BROKER", "SCHEMAREGISTRY"]) else {
        return;
    };
    let topic = format!("lsst.{}.Mock_state", unique("searched"));
    let id = mock_state::prepare(&services, &topic, 2).await;
    write(&services, &topic, &mut Frames::new(id), RECORDS, 2_000);
    let mut console = Running::spawn(&services, &["console", "--port", "0", "--prometheus-port", "0"]);
    let address = console.console_address();
    let search = || async {
        let url = format!("{address}messages-events?topic={topic}&start=beginning&key=none");
        let text = reqwest::get(url).await.unwrap().text().await.unwrap();
        assert!(text.contains("searched 60,000 of 60,000"), "{text}");
    };
    tokio::join!(search(), search());
    let peak = peak(console.id());
    eprintln!("peak resident memory: {peak} KiB");
    assert!(peak <= MAX_MEBIBYTES << 10, "{peak} KiB");
}

const PACKED_PARTITIONS: i32 = 4;

/// One batch of equal small values in each partition.
async fn write_packed(services: &Services, topic: &str, batch: usize) {
    let id = mock_state::prepare(services, topic, PACKED_PARTITIONS).await;
    let frame = Frames::new(id).frame(1, 1_760_000_000_000, "");
    let producer = testkit::producer(
        ClientConfig::new()
            .set("bootstrap.servers", services.get("BROKER"))
            .set("compression.type", "zstd")
            .set("linger.ms", "10000")
            .set("batch.num.messages", batch.to_string())
            .set("batch.size", "100000000")
            .set("message.max.bytes", "100000000")
            .set("queue.buffering.max.messages", "2000000"),
    );
    for partition in 0..PACKED_PARTITIONS {
        for _ in 0..batch {
            let record = BaseRecord::<(), _>::to(topic)
                .partition(partition)
                .payload(&frame);
            producer.send(record).map_err(|(error, _)| error).unwrap();
        }
    }
    testkit::deliver(&producer);
}

fn sink(
    services: &Services,
    topic: &str,
    group: &str,
    database: &InfluxServer,
    mebibytes: u64,
    port: u16,
) -> Command {
    let mut command = Command::new(system_tests::binary("influxsink"));
    command
        .args(["run", topic, "--group", group, "--into", &database.url()])
        .args(["--max-memory", &mebibytes.to_string()])
        .args(["--prometheus-port", &port.to_string()])
        .args(["--broker", services.get("BROKER")])
        .args(["--schema-registry", services.get("SCHEMAREGISTRY")])
        .args(["-X", "session.timeout.ms=6000", "-X", "max.poll.interval.ms=6000"])
        .args(["--log-level", "error"]);
    command
}

async fn keeps_its_allowance(records: usize, note: usize) {
    let Some(services) = Services::with(&["BROKER", "SCHEMAREGISTRY"]) else {
        return;
    };
    let topic = format!("lsst.{}.Mock_state", unique("memory"));
    let id = mock_state::prepare(&services, &topic, 2).await;
    write(&services, &topic, &mut Frames::new(id), records, note);

    let mut database = InfluxServer::start().await.unwrap();
    database.down().await;
    let port = free_port();
    let command = sink(&services, &topic, &topic, &database, MEBIBYTES, port);
    let mut sink = Process::start(command);
    let metric = |name: &'static str, labels: &'static str| async move {
        let text = reqwest::get(format!("http://127.0.0.1:{port}/metrics"))
            .await
            .ok()?
            .text()
            .await
            .ok()?;
        let (_, value) = samples(&text, name).find(|(found, _)| *found == labels)?;
        Some(value)
    };
    let deadline = Instant::now() + Duration::from_secs(60);
    while metric("kafka_consumer_paused", "").await != Some(1.0) {
        assert!(
            Instant::now() < deadline && sink.is_running(),
            "the consumer never paused"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // This state has to last: there is no condition to wait for.
    tokio::time::sleep(AWAY).await;
    assert_eq!(
        metric("kafka_rebalances_total", "kind=\"assign\"").await,
        Some(1.0)
    );
    assert_eq!(
        metric("kafka_rebalances_total", "kind=\"revoke\"")
            .await
            .unwrap_or(0.0),
        0.0
    );
    let away = peak(sink.id());

    database.up().await.unwrap();
    until("all records in the database", 120, || {
        let found = database.counts().created;
        if found as usize == records {
            Ok(())
        } else {
            Err(format!("{found} of {records}"))
        }
    });
    let whole = peak(sink.id());
    eprintln!("peak resident memory: {away} KiB while the database was unavailable, {whole} KiB overall");
    assert!(
        whole <= MEBIBYTES << 10,
        "{whole} KiB, the limit is {MEBIBYTES} MiB"
    );
}

fn write(services: &Services, topic: &str, frames: &mut Frames, records: usize, note: usize) {
    let producer = testkit::producer(
        ClientConfig::new()
            .set("bootstrap.servers", services.get("BROKER"))
            .set("queue.buffering.max.messages", "1000000"),
    );
    let note = "x".repeat(note);
    for n in 0..records {
        let frame = frames.frame(n, 1_760_000_000_000 + n as i64, &note);
        producer
            .send(BaseRecord::<(), _>::to(topic).payload(&frame))
            .map_err(|(error, _)| error)
            .unwrap();
    }
    testkit::deliver(&producer);
}

/// The peak resident memory of the process, in KiB.
fn peak(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
