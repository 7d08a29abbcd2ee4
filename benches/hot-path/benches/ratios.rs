//! The last part of `make bench`: measures each row of the table of targets that needs no service, together
//! with what it is compared to, and prints one line `RATIO <row> <value> <target> ok|short` for each.
//!
//! The two cores are shared with other processes, so the compared functions take turns of a few milliseconds,
//! and the shortest turn of each counts, because it was disturbed least.

#![allow(missing_docs)]

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use allocation_counter::measure;
use efd_benches::sink::{self, Line};
use efd_benches::work::Transform;
use efd_benches::{numbers, quoted_text, thermal_data, twenty_fields};

const TURNS: usize = 200;
const TURN: Duration = Duration::from_millis(5);
/// The transform of 2019 for a message of 20 fields, as measured in facts/peers.md; a message of the mount
/// encoders.
const PYTHON_MICROS: f64 = 163.0;

fn main() -> Result<(), Box<dyn Error>> {
    let (thermal, twenty, quoted) = (thermal_data(), twenty_fields(), quoted_text());
    let texts = numbers(&thermal);
    let (azimuth, actuators) = (sink::azimuth()?, sink::actuators()?);
    let mut large = Transform::new(&thermal)?;
    let mut small = Transform::new(&twenty)?;
    let mut split = Transform::new(&quoted)?;
    let mut narrow = Line::new(&azimuth)?;
    let mut wide = Line::new(&actuators)?;
    let parse = || {
        texts
            .iter()
            .map(|text| fast_float2::parse::<f64, _>(black_box(text)).unwrap_or(0.0))
            .sum::<f64>()
    };

    let in_transform = allocations(|| large.once() + small.once() + split.once());
    let in_line = allocations(|| narrow.once() + wide.once());

    let [large, parse, small, split, narrow, wide] = micros([
        &mut || {
            black_box(large.once());
        },
        &mut || {
            black_box(parse());
        },
        &mut || {
            black_box(small.once());
        },
        &mut || {
            black_box(split.once());
        },
        &mut || {
            black_box(narrow.once());
        },
        &mut || {
            black_box(wide.once());
        },
    ]);
    println!(
        "thermal_data   {large:7.3} µs, {:.2} GB/s of text",
        thermal.text.len() as f64 / large / 1e3
    );
    println!("its numbers by fast-float2 {parse:7.3} µs");
    println!(
        "twenty_fields  {small:7.3} µs, {:.2} GB/s of text",
        twenty.text.len() as f64 / small / 1e3
    );
    println!("quoted_text    {split:7.3} µs, with a quote in its string");
    println!(
        "azimuth        {narrow:7.3} µs to decode {} bytes and write the line",
        azimuth.avro.len()
    );
    println!(
        "actuators      {wide:7.3} µs to decode {} bytes and write the line\n",
        actuators.avro.len()
    );

    at_most("transform-vs-number-parsing", large / parse, 0.7);
    at_most("transform-of-20-fields-µs", small, 0.6);
    at_most("transform-of-20-fields-with-a-quote-µs", split, 0.6);
    at_least("transform-of-20-fields-vs-python", PYTHON_MICROS / small, 250.0);
    at_most("transform-allocations", in_transform, 0.0);
    at_most("line-of-23-fields-µs", narrow, 1.5);
    at_most("line-of-820-fields-µs", wide, 25.0);
    at_most("line-allocations", in_line, 0.0);
    Ok(())
}

/// The number of calls per turn.
fn allocations(mut call: impl FnMut() -> usize) -> f64 {
    let counted = measure(|| {
        (0..1_000).for_each(|_| {
            black_box(call());
        });
    });
    counted.count_total as f64
}

/// The time per call of each function, in microseconds.
fn micros<const N: usize>(mut calls: [&mut dyn FnMut(); N]) -> [f64; N] {
    let times = calls.each_mut().map(|call| {
        let start = Instant::now();
        let mut times = 0_u32;
        while start.elapsed() < TURN * 10 {
            call();
            times += 1;
        }
        (times / 10).max(1)
    });
    let mut shortest = [f64::MAX; N];
    for _ in 0..TURNS {
        for ((call, times), shortest) in calls.iter_mut().zip(times).zip(&mut shortest) {
            let start = Instant::now();
            (0..times).for_each(|_| call());
            *shortest = shortest.min(start.elapsed().as_secs_f64() * 1e6 / f64::from(times));
        }
    }
    shortest
}

fn at_most(row: &str, value: f64, target: f64) {
    say(row, value, target, value <= target);
}

fn at_least(row: &str, value: f64, target: f64) {
    say(row, value, target, value >= target);
}

fn say(row: &str, value: f64, target: f64, holds: bool) {
    let verdict = if holds { "ok" } else { "short" };
    println!("RATIO {row} {value:.3} {target} {verdict}");
}
