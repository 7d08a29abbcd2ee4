//! Inputs of the benchmarks: schemas and messages of realistic sizes, generated here.

pub mod sink;
pub mod work;

use sal::name::TopicName;
use sal::print::{Preamble, Printer};

const PREAMBLE: Preamble<'_> = Preamble {
    rev_code: "LSST TEST REVCODE",
    snd_stamp: 1_547_758_756.335_189,
    rcv_stamp: 1_547_758_754.901_99,
    seq_num: 9940,
    origin: 1,
    host: 1,
};

/// A message and its schema.
#[derive(Debug)]
pub struct Sample {
    /// The Avro schema's JSON.
    pub schema: String,
    /// The SAL text.
    pub text: Vec<u8>,
}

/// One time and four arrays of 95 `float`: like a captured `MTM1M3TS_thermalData`, with 381 numbers and 4,321
/// bytes.
pub fn thermal_data() -> Sample {
    let arrays: Vec<Vec<f32>> = (0..4)
        .map(|array| (0..95).map(|item| temperature(array, item)).collect())
        .collect();
    let fields: Vec<String> = (1..=4)
        .map(|array| {
            field(
                &format!("scanner{array}"),
                r#"{"type":"array","items":"float","sal_count":95}"#,
            )
        })
        .collect();
    let fields = [vec![field("timestamp", "\"double\"")], fields].concat();
    let text = print("MTM1M3TS_thermalData", |printer| {
        printer.double(1_547_758_756.332_947);
        for array in &arrays {
            printer.array(array, |printer, item| {
                printer.float(item);
            });
        }
    });
    Sample {
        schema: schema("MTM1M3TS_thermalData", &fields),
        text,
    }
}

/// The 381 numbers of [`thermal_data`] as texts.
pub fn numbers(sample: &Sample) -> Vec<String> {
    let text = String::from_utf8_lossy(&sample.text);
    let values = text.trim_end_matches(')').split(" , ").skip(6);
    values
        .flat_map(|value| value.split(", "))
        .map(str::to_owned)
        .collect()
}

/// Twenty fields after the first seven: times, positions, counters, flags, a string.
pub fn twenty_fields() -> Sample {
    twenty_fields_with(b"elevation axis")
}

/// The same with a string that contains SAL's quote, which SAL does not escape: its end has to be searched.
pub fn quoted_text() -> Sample {
    twenty_fields_with(b"can't move yet")
}

fn twenty_fields_with(name: &[u8]) -> Sample {
    let types = ["double", "double", "long", "boolean", "float"];
    let mut fields: Vec<String> = (0..19)
        .map(|index| field(&format!("field{index}"), &format!("\"{}\"", types[index % 5])))
        .collect();
    fields.push(field("name", "\"string\""));
    let text = print("ATMCS_mountEncoders", |printer| {
        for index in 0..19_i32 {
            let value = f64::from(index);
            match types[index as usize % 5] {
                "double" => printer.double(123.456_789 + value),
                "long" => printer.integer(i64::from(index) * 12_345),
                "boolean" => printer.boolean(index % 2 == 0),
                _ => printer.float(temperature(1, index as usize)),
            };
        }
        printer.text(name);
    });
    Sample {
        schema: schema("ATMCS_mountEncoders", &fields),
        text,
    }
}

fn temperature(array: usize, item: usize) -> f32 {
    21.8 + ((array * 95 + item) * 7919 % 6000) as f32 / 10_000.0
}

fn print(topic: &str, values: impl Fn(&mut Printer<'_>)) -> Vec<u8> {
    let mut out = Vec::new();
    if let Ok(topic) = TopicName::new(topic) {
        let mut printer = Printer::new(&mut out, &topic, &PREAMBLE);
        values(&mut printer);
        printer.finish();
    }
    out
}

fn field(name: &str, avro: &str) -> String {
    format!(r#"{{"name":"{name}","type":{avro}}}"#)
}

fn schema(name: &str, fields: &[String]) -> String {
    let time = r#"{"type":"long","logicalType":"timestamp-millis"}"#;
    format!(
        r#"{{"type":"record","name":"{name}","namespace":"lsst.sal","fields":[
        {{"name":"kafka_timestamp","type":{time}}},{{"name":"sal_revcode","type":"string"}},
        {{"name":"sal_created","type":{time}}},{{"name":"sal_ingested","type":{time}}},
        {{"name":"sal_sequence","type":"long"}},{{"name":"sal_origin","type":"int"}},{{"name":"sal_host","type":"int"}},
        {}]}}"#,
        fields.join(",")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thermal_data_has_the_size_of_the_captured_message() {
        let sample = thermal_data();
        assert_eq!(sample.text.len(), 4321);
        assert_eq!(numbers(&sample).len(), 381);
    }
}
