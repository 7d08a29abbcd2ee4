"""The Kafka clients of the stages, and the mirror between sites."""

from .grafana import LAG_STEPS, dashboard, timeseries
from .prometheus import VARIABLES, chosen, increase, query, rate

PROCESS = "{{job}} {{instance}}"

GROUPS = [
    timeseries(
        "Assigned partitions",
        "Partitions that the group has assigned to each process. A process with 0 beside others with several "
        "is an idle replica.",
        "none",
        query(chosen("kafka_assigned_partitions"), PROCESS),
    ),
    timeseries(
        "Rebalances",
        "By kind: partitions assigned and revoked, and failed rebalances.",
        "none",
        query(increase("kafka_rebalances_total", "job, kind"), "{{job}} {{kind}}"),
    ),
    timeseries(
        "Lag of the partitions furthest behind",
        "The 20 partitions with the most messages that are not finished; (other) is the sum "
        "of those beyond --max-lag-series.",
        "none",
        query(
            f"topk(20, sum by (job, topic, partition) ({chosen('kafka_consumer_lag')}))",
            "{{job}} {{topic}} {{partition}}",
        ),
        steps=LAG_STEPS,
    ),
    timeseries(
        "Offset commits",
        "By result. A failed commit is tried again.",
        "ops",
        query(rate("kafka_commits_total", "job, result"), "{{job}} {{result}}"),
    ),
    timeseries(
        "Released",
        "Messages given back unfinished when partitions are revoked, to be read again by another process.",
        "none",
        query(increase("kafka_released_total", "job, instance"), PROCESS),
    ),
    timeseries(
        "In flight",
        "Messages consumed and not yet finished, of each process.",
        "none",
        query(chosen("kafka_in_flight_messages"), PROCESS),
    ),
]

TROUBLE = [
    timeseries(
        "Client errors",
        "Errors that librdkafka reports, by code. Some are expected while brokers restart.",
        "none",
        query(increase("kafka_errors_total", "job, code", hide_zeros=True), "{{job}} {{code}}"),
    ),
    timeseries(
        "Stuck clients",
        "Clients without progress while the cluster works, by client and what was done.",
        "none",
        query(increase("kafka_stuck_clients_total", "job, client, remedy"), "{{job}} {{client}} {{remedy}}"),
    ),
    timeseries(
        "Blocked partitions",
        "Partitions that a batch blocks which cannot be decoded; /ready names them.",
        "none",
        query(chosen("kafka_blocked_partitions"), PROCESS),
    ),
    timeseries(
        "Undecodable batches skipped",
        "Batches skipped by --skip-undecodable-batches, and the offsets in them.",
        "none",
        query(increase("kafka_skipped_batches_total", "job"), "{{job}} batches"),
        query(increase("kafka_skipped_offsets_total", "job"), "{{job}} offsets"),
    ),
    timeseries(
        "Lost to retention",
        "Messages that the brokers deleted before they were read.",
        "none",
        query(increase("kafka_messages_lost_to_retention_total", "job"), "{{job}}"),
    ),
    timeseries(
        "Dead letters shortened",
        "Dead letters that do not fit into their topic, by what was omitted.",
        "none",
        query(increase("kafka_dead_letters_shortened_total", "job, omitted"), "{{job}} {{omitted}}"),
    ),
]

# MirrorMaker 2 is not one of our stages, so the variables do not choose among its series.
MIRROR = [
    timeseries(
        "Age of mirrored records",
        "How old a record is when the mirror reads it; the age of the last record stays when no other follows.",
        "ms",
        query(
            "topk(20, max by (target, topic) (kafka_connect_mirror_mirrorsourceconnector_record_age_ms))",
            "{{target}} {{topic}}",
        ),
        width=6,
    ),
    timeseries(
        "Latency of the mirror",
        "From reading a record at the source to the acknowledgement of the target.",
        "ms",
        query(
            "topk(20, max by (target, topic) (kafka_connect_mirror_mirrorsourceconnector_replication_latency_ms))",
            "{{target}} {{topic}}",
        ),
        width=6,
    ),
    timeseries(
        "Mirrored records",
        "Records per second to each site.",
        "mps",
        query("sum by (target) (kafka_connect_mirror_mirrorsourceconnector_record_rate)", "{{target}}"),
        width=6,
    ),
    timeseries(
        "Mirrored bytes",
        "Bytes per second to each site.",
        "Bps",
        query("sum by (target) (kafka_connect_mirror_mirrorsourceconnector_byte_rate)", "{{target}}"),
        width=6,
    ),
]


def build():
    return dashboard(
        "kafka-efd-clients",
        "kafka-efd: Kafka clients",
        "Consumer groups, commits, errors and losses of the stages' Kafka clients.",
        [variable for variable in VARIABLES if variable["name"] != "subsystem"],
        [("Consumer groups", GROUPS), ("Trouble", TROUBLE), ("MirrorMaker 2", MIRROR)],
    )
