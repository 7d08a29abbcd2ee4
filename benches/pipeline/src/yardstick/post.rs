//! influxsink's yardstick: posts prepared lines in batches of the same size, with the same number of requests
//! in flight.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use futures::{StreamExt, TryStreamExt, stream};
use reqwest::Client;
use serde_json::json;

use crate::failure::{Doing, Failure, Outcome};
use crate::usage::cpu;

/// The source and the destination.
#[derive(Debug, Args)]
pub(crate) struct PostArgs {
    /// File of lines
    #[arg(long)]
    lines: PathBuf,
    /// Write endpoint, with its query
    #[arg(long)]
    url: String,
    #[arg(long, env = "INFLUXDB_TOKEN", hide_env_values = true)]
    token: String,
    /// Bytes of a batch, as `influxsink run --batch-bytes`
    #[arg(long, default_value_t = 2 << 20)]
    batch_bytes: usize,
    /// Points of a batch, as `influxsink run --batch-points`
    #[arg(long, default_value_t = 5_000)]
    batch_points: usize,
    /// Requests in flight at once, as `influxsink run --requests-in-flight`
    #[arg(long, default_value_t = 2)]
    requests_in_flight: usize,
    /// File for the measurements
    #[arg(long)]
    result: PathBuf,
}

/// Posts all lines and reports the time that it took, excluding reading the file.
pub(crate) async fn post(args: &PostArgs) -> Outcome<()> {
    let (batches, points) = read(args)?;
    let client = Client::builder().no_proxy().tcp_nodelay(true).build();
    let client = client.doing("make an HTTP client")?;
    let pid = std::process::id();
    let (begun, before) = (Instant::now(), cpu(pid)?);
    let posted = stream::iter(batches).map(|batch| post_one(&client, args, batch));
    let posted = posted.buffer_unordered(args.requests_in_flight);
    posted.try_collect::<()>().await?;
    let result = json!({"points": points, "seconds": begun.elapsed().as_secs_f64(),
        "cpu_s": cpu(pid)?.saturating_sub(before).as_secs_f64()});
    std::fs::write(&args.result, result.to_string()).doing(format!("write {}", args.result.display()))
}

async fn post_one(client: &Client, args: &PostArgs, batch: Vec<u8>) -> Outcome<()> {
    let request = client
        .post(&args.url)
        .header("Content-Type", "text/plain; charset=utf-8")
        .header("Authorization", format!("Token {}", args.token));
    let answer = request.body(batch).send().await.doing("post lines")?;
    if answer.status().as_u16() == 204 {
        return Ok(());
    }
    let (status, text) = (answer.status(), answer.text().await.unwrap_or_default());
    Err(Failure::Unexpected(format!(
        "the database answers {status}: {text}"
    )))
}

/// The lines in batches, and the number of lines.
fn read(args: &PostArgs) -> Outcome<(Vec<Vec<u8>>, u64)> {
    let doing = || format!("read {}", args.lines.display());
    let file = std::fs::File::open(&args.lines).doing(doing())?;
    let mut reader = BufReader::new(file);
    let (mut batches, mut batch, mut points, mut all) = (Vec::new(), Vec::new(), 0, 0);
    while reader.read_until(b'\n', &mut batch).doing(doing())? > 0 {
        points += 1;
        all += 1;
        if batch.len() >= args.batch_bytes || points >= args.batch_points {
            batches.push(std::mem::take(&mut batch));
            points = 0;
        }
    }
    if !batch.is_empty() {
        batches.push(batch);
    }
    Ok((batches, all))
}
