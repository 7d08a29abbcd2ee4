//! The sink on one core: Avro to line protocol, for records of two sizes.

// criterion's macros generate functions without docs; a bench may panic.
#![allow(missing_docs, clippy::unwrap_used)]

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use efd_benches::sink::{Line, actuators, azimuth};

fn lines(criterion: &mut Criterion) {
    for (name, record) in [
        ("azimuth", azimuth().unwrap()),
        ("actuators", actuators().unwrap()),
    ] {
        let mut group = criterion.benchmark_group(name);
        group
            .warm_up_time(Duration::from_secs(1))
            .measurement_time(Duration::from_secs(3))
            .throughput(Throughput::Elements(1));
        let mut line = Line::new(&record).unwrap();
        group.bench_function("decode_and_line", |bencher| bencher.iter(|| line.once()));
        group.finish();
    }
}

criterion_group!(benches, lines);
criterion_main!(benches);
