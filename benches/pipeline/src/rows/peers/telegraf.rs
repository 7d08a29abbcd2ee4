//! Telegraf's configuration, like the observatory's: the same topic, time, names and number of fields as
//! influxsink writes, and Telegraf's own batch size. With larger batches of points with 820 fields, InfluxDB
//! takes longer than Telegraf waits.

/// The destination.
pub(super) enum Into<'a> {
    /// InfluxDB, or the discarding endpoint.
    Influx {
        url: &'a str,
        token: &'a str,
        org: &'a str,
        bucket: &'a str,
    },
    /// Telegraf's own `outputs.discard`: lines are not even encoded.
    Nowhere,
}

/// The text of the configuration file.
pub(super) fn configuration(
    broker: &str,
    registry: &str,
    topic: &str,
    group: &str,
    into: &Into<'_>,
) -> String {
    let output = match into {
        Into::Influx {
            url,
            token,
            org,
            bucket,
        } => format!(
            "[[outputs.influxdb_v2]]\n  urls = [{url:?}]\n  token = {token:?}\n  organization = {org:?}\n  \
             bucket = {bucket:?}\n  content_encoding = \"gzip\"\n  timeout = \"60s\"\n"
        ),
        Into::Nowhere => "[[outputs.discard]]\n".to_owned(),
    };
    format!(
        r#"[agent]
  interval = "1s"
  flush_interval = "1s"
  metric_batch_size = 1000
  metric_buffer_limit = 100000
  omit_hostname = true
[[inputs.kafka_consumer]]
  brokers = [{broker:?}]
  kafka_version = "3.6.0"
  topics = [{topic:?}]
  consumer_group = {group:?}
  offset = "oldest"
  max_undelivered_messages = 10000
  max_processing_time = "5s"
  data_format = "avro"
  avro_schema_registry = {registry:?}
  avro_timestamp = "private_efdStamp"
  avro_timestamp_format = "unix"
  avro_field_separator = ""
  avro_union_mode = "nullable"
{output}"#
    )
}
