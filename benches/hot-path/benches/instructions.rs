//! Runs one hot path a given number of times and does nothing else: `scripts/instructions` counts its
//! instructions with callgrind.

// A bench may end with an error's debug form.
#![allow(missing_docs)]

use std::error::Error;

use efd_benches::sink::{Line, Record, actuators, azimuth};
use efd_benches::work::Transform;
use efd_benches::{Sample, quoted_text, thermal_data, twenty_fields};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    // `cargo bench` runs every bench with its own arguments.
    let (Some(path), Some(Ok(times))) = (args.next(), args.next().map(|times| times.parse::<u32>())) else {
        println!("instructions: counted by scripts/instructions");
        return Ok(());
    };
    let bytes: usize = match path.as_str() {
        "thermal_data" => transform(&thermal_data(), times)?,
        "twenty_fields" => transform(&twenty_fields(), times)?,
        "quoted_text" => transform(&quoted_text(), times)?,
        "azimuth" => line(&azimuth()?, times)?,
        "actuators" => line(&actuators()?, times)?,
        _ => return Err(format!("no hot path has the name {path}").into()),
    };
    println!("{bytes} bytes");
    Ok(())
}

fn transform(sample: &Sample, times: u32) -> Result<usize, Box<dyn Error>> {
    let mut transform = Transform::new(sample)?;
    Ok((0..times).map(|_| transform.once()).sum())
}

fn line(record: &Record, times: u32) -> Result<usize, Box<dyn Error>> {
    let mut line = Line::new(record)?;
    Ok((0..times).map(|_| line.once()).sum())
}
