//! The transform on one core: header, encode, and both, in bytes/s and messages/s. As a yardstick, the time
//! that `fast-float2` needs to parse only the numbers of the larger message.

// criterion's macros generate functions without docs; a bench may panic.
#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use efd_benches::{Sample, numbers, quoted_text, thermal_data, twenty_fields};
use sal::encode::Encoder;
use sal::plan::Plan;
use sal::time::TimeScale;
use sal::wire::Message;

const NOW: i64 = 1_700_000_000_000_000;

/// The unit of throughput is part of the group's name, because criterion shows one unit per group.
fn transform(criterion: &mut Criterion) {
    for (name, sample) in [
        ("thermal_data", thermal_data()),
        ("twenty_fields", twenty_fields()),
        ("quoted_text", quoted_text()),
    ] {
        for (unit, throughput) in [
            ("bytes", Throughput::Bytes(sample.text.len() as u64)),
            ("messages", Throughput::Elements(1)),
        ] {
            measure(criterion, &format!("{name}/{unit}"), &sample, throughput);
        }
    }
}

fn measure(criterion: &mut Criterion, name: &str, sample: &Sample, throughput: Throughput) {
    let mut group = criterion.benchmark_group(name);
    group
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .throughput(throughput);
    let plan = Plan::compile(&sample.schema, TimeScale::Utc).unwrap();
    let mut encoder = Encoder::new();
    let mut out = Vec::new();
    group.bench_function("header", |bencher| {
        bencher.iter(|| Message::parse(black_box(&sample.text)).map(|message| message.topic().len()));
    });
    let message = Message::parse(&sample.text).unwrap();
    group.bench_function("encode", |bencher| {
        bencher.iter(|| {
            encoder
                .encode(&plan, black_box(&message), 1, NOW, &mut out)
                .is_ok()
        });
    });
    group.bench_function("header_and_encode", |bencher| {
        bencher.iter(|| {
            let message = Message::parse(black_box(&sample.text)).unwrap();
            encoder.encode(&plan, &message, 1, NOW, &mut out).is_ok()
        });
    });
    group.finish();
}

fn yardstick(criterion: &mut Criterion) {
    let sample = thermal_data();
    let numbers = numbers(&sample);
    let mut group = criterion.benchmark_group("yardstick");
    group
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3));
    group.throughput(Throughput::Bytes(sample.text.len() as u64));
    group.bench_function("fast_float2_of_381_numbers", |bencher| {
        bencher.iter(|| {
            numbers
                .iter()
                .map(|number| fast_float2::parse::<f64, _>(black_box(number)).unwrap_or(0.0))
                .sum::<f64>()
        });
    });
    group.finish();
}

criterion_group!(benches, transform, yardstick);
criterion_main!(benches);
