"""The pipeline at a glance: what an operator looks at first. Names, units and bounds are those of `kafkaefd top`."""

from .grafana import LAG_STEPS, READY, dashboard, mapping, stat, states, timeseries
from .health import DEPENDENCIES, NOT_CARRIED, PROCESSES
from .prometheus import VARIABLES, chosen, quantiles, query, rate, rates


def finished(stage, output):
    """What a stage has finished, by how, as one query for each."""
    return [
        query(rate(f"{stage}_consumed_total"), "{{job}} consumed"),
        query(rate(output), "{{job}} " + output.removesuffix("_total").split("_")[-1]),
    ]


GLANCE = [
    stat(
        "Readiness",
        "Whether everything that a stage needs is available; the panel Readiness by dependency names what is not.",
        "none",
        query(f"min by (job) ({chosen('kafka_efd_ready')})", "{{job}}"),
        mappings=READY,
        steps=(),
        width=4,
    ),
    stat(
        "Produced or written",
        "What leaves each stage per second: OUT/S of kafkaefd top.",
        "mps",
        *rates("{{{{job}}}}", "salmock_produced_total", "saltransform_produced_total", "influxsink_written_total"),
        width=5,
    ),
    stat(
        "Lag",
        "Messages behind the end of the partitions that are not finished: LAG of kafkaefd top.",
        "none",
        query(f"sum by (job) ({chosen('kafka_consumer_lag')})", "{{job}}"),
        steps=LAG_STEPS,
        width=5,
    ),
    stat(
        "Age at the database, p99",
        "From a point's own time to the database's answer: AGE P99 of kafkaefd top.",
        "s",
        quantiles("influxsink_point_age_seconds")[1],
        steps=((1, "yellow"), (5, "red")),
        width=5,
    ),
    stat(
        "Dead letters in the last hour",
        "Messages that could not be carried. They are kept in the dead-letter topics.",
        "none",
        *(
            query(f"sum by (job) (increase({chosen(f'{stage}_dead_letters_total')}[1h]))", "{{job}}")
            for stage in ("saltransform", "influxsink")
        ),
        steps=((1, "red"),),
        width=5,
    ),
]

RATES = [
    timeseries(
        "salmock",
        "Mock messages that the broker has acknowledged.",
        "mps",
        *rates("{{{{job}}}} {what}", "salmock_produced_total"),
    ),
    timeseries(
        "saltransform",
        "SAL messages consumed, and records that the broker has acknowledged. The lines differ by dead letters and "
        "skipped messages.",
        "mps",
        *finished("saltransform", "saltransform_produced_total"),
    ),
    timeseries(
        "influxsink",
        "Records consumed, and points that the database has accepted.",
        "mps",
        *finished("influxsink", "influxsink_written_total"),
    ),
]

TIMES = [
    timeseries(
        "Transform a message",
        "saltransform: parse and encode of one message.",
        "s",
        *quantiles("saltransform_transform_seconds"),
    ),
    timeseries(
        "Through saltransform",
        "From consuming a message to the acknowledgement of its record.",
        "s",
        *quantiles("saltransform_total_seconds"),
    ),
    timeseries(
        "Age at the database",
        "From a point's own time to the database's answer: the whole way from SAL.",
        "s",
        *quantiles("influxsink_point_age_seconds"),
        steps=((5, "red"),),
    ),
    timeseries(
        "Encode a line",
        "influxsink: decode of one record and encode of its line.",
        "s",
        *quantiles("influxsink_encode_seconds"),
    ),
    timeseries(
        "Request to the database",
        "influxsink: one request, with its batch.",
        "s",
        *quantiles("influxsink_request_seconds"),
    ),
    timeseries(
        "Bytes to the database",
        "Line protocol as it is, and as it is sent (smaller with --gzip).",
        "Bps",
        *rates("{{{{job}}}} {what}", "influxsink_line_bytes_total"),
        query(rate("influxsink_sent_bytes_total"), "{{job}} sent"),
    ),
]

BEHIND = [
    timeseries(
        "Lag in messages",
        "Messages behind the end of the partitions that are not finished. With more partitions than "
        "--max-lag-series, the rest is in the sum as well.",
        "none",
        query(f"sum by (job) ({chosen('kafka_consumer_lag')})", "{{job}}"),
        steps=LAG_STEPS,
    ),
    timeseries(
        "Lag in seconds",
        "LAG TIME of kafkaefd top: the age of the oldest message that is read or waits and is not finished, in the "
        "subsystem that is furthest behind.",
        "s",
        *(
            query(f"max by (job) ({chosen(f'{stage}_lag_seconds')})", "{{job}}")
            for stage in ("saltransform", "influxsink")
        ),
        steps=((300, "red"),),
    ),
    timeseries(
        "Time since the last message",
        "The age of the newest finished message of all subsystems: grows when data stops.",
        "s",
        *(
            query(f"time() - max by (job) ({chosen(f'{stage}_last_message_timestamp_seconds')})", "{{job}}")
            for stage in ("salmock", "saltransform", "influxsink")
        ),
        steps=((300, "red"),),
    ),
    timeseries(
        "In flight",
        "Messages consumed and not yet finished.",
        "none",
        query(f"sum by (job) ({chosen('kafka_in_flight_messages')})", "{{job}}"),
    ),
    timeseries(
        "Memory in flight",
        "What --max-memory of influxsink bounds.",
        "bytes",
        query(f"sum by (job, instance) ({chosen('kafka_in_flight_bytes')})", "{{job}} {{instance}}"),
    ),
    states(
        "Paused",
        "Whether consumption is paused because what follows does not keep up.",
        query(chosen("kafka_consumer_paused"), "{{job}} {{instance}}"),
        mappings=mapping(_0=("running", "green"), _1=("paused", "orange")),
    ),
]


def build():
    return dashboard(
        "kafka-efd-pipeline",
        "kafka-efd: pipeline",
        "Rates, times, lag and losses of salmock, saltransform and influxsink.",
        [variable for variable in VARIABLES if variable["name"] != "subsystem"],
        [
            ("At a glance", GLANCE),
            ("Rates", RATES),
            ("Times", TIMES),
            ("Behind", BEHIND),
            ("Not carried", NOT_CARRIED),
            ("Dependencies", DEPENDENCIES),
            ("Processes", PROCESSES),
        ],
    )
