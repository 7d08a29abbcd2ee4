"""One subsystem (or several) through the stages: is it silent, how far behind is it, and which processes carry it."""

from .grafana import LAG_STEPS, READY, dashboard, stat, states, table, timeseries
from .prometheus import CHOSEN, VARIABLES, instant, query

STAGES = ("salmock", "saltransform", "influxsink")
CONSUMERS = STAGES[1:]

CHOSEN_SUBSYSTEM = f'{CHOSEN}, subsystem=~"$subsystem"'
# Test_telemetry, lsst.sal.Test_scalars, lsst.sal.Test.scalars, summit.lsst.sal.Test_scalars
TOPICS = f'{CHOSEN}, topic=~"(.*[.])?($subsystem)[._].*"'


def carried(expr, stage):
    """Limits an expression to the processes that carry the chosen subsystems."""
    carries = f"max by (job, instance) ({stage}_lag_seconds{{{CHOSEN_SUBSYSTEM}}})"
    return f"{expr} and on (job, instance) {carries}"


def of_processes(expr, legend="{{job}} {{instance}}"):
    """A query of the processes of either stage that carry the chosen subsystems."""
    return [query(carried(expr, stage), legend) for stage in CONSUMERS]


def rate(metric, stage, more="", by="job, instance"):
    return carried(f"sum by ({by}) (rate({metric}{{{CHOSEN}{more}}}[$__rate_interval]))", stage)


FLOW = [
    stat(
        "Time since the last message",
        "The age of the newest finished message of the subsystem, at each stage.",
        "s",
        *(
            query(
                f"time() - max by (job, subsystem) ({stage}_last_message_timestamp_seconds{{{CHOSEN_SUBSYSTEM}}})",
                "{{subsystem}} {{job}}",
            )
            for stage in STAGES
        ),
        steps=((60, "yellow"), (300, "red")),
        width=12,
        height=6,
    ),
    stat(
        "Lag in seconds",
        "The age of the oldest message of the subsystem that is not finished; 0 when nothing waits.",
        "s",
        *(
            query(f"max by (job, subsystem) ({stage}_lag_seconds{{{CHOSEN_SUBSYSTEM}}})", "{{subsystem}} {{job}}")
            for stage in CONSUMERS
        ),
        steps=((10, "yellow"), (300, "red")),
        width=12,
        height=6,
    ),
    timeseries(
        "Time since the last message, over time",
        "Grows at every stage when the subsystem is silent, and from one stage on when that stage does not carry it.",
        "s",
        *(
            query(
                f"time() - max by (job, subsystem) ({stage}_last_message_timestamp_seconds{{{CHOSEN_SUBSYSTEM}}})",
                "{{subsystem}} {{job}}",
            )
            for stage in STAGES
        ),
        width=12,
    ),
    timeseries(
        "Lag in seconds, over time",
        "The age of the oldest message that is not finished.",
        "s",
        *(
            query(f"max by (job, subsystem) ({stage}_lag_seconds{{{CHOSEN_SUBSYSTEM}}})", "{{subsystem}} {{job}}")
            for stage in CONSUMERS
        ),
        width=12,
    ),
]

TOPIC_PANELS = [
    timeseries(
        "Lag by topic",
        "Messages behind the end of the subsystem's topics. Topics beyond --max-lag-series are only in the sum of the "
        "pipeline's dashboard.",
        "none",
        query(f"topk(20, sum by (job, topic) (kafka_consumer_lag{{{TOPICS}}}))", "{{job}} {{topic}}"),
        steps=LAG_STEPS,
        width=12,
    ),
    timeseries(
        "Messages lost to retention",
        "Messages that the brokers deleted before they were read.",
        "none",
        query(
            f"sum by (job) (increase(kafka_messages_lost_to_retention_total{{{TOPICS}}}[$__rate_interval]))", "{{job}}"
        ),
        width=6,
    ),
    timeseries(
        "Topics recreated",
        "Partitions of topics that were deleted and recreated while in use.",
        "none",
        query(
            f"sum by (job, topic) (increase(kafka_topics_recreated_total{{{TOPICS}}}[$__rate_interval])) > 0",
            "{{job}} {{topic}}",
        ),
        width=6,
    ),
]

PROCESSES = [
    timeseries(
        "Consumed",
        "Messages per second of the processes that carry the subsystem; with several subsystems a process, of all of "
        "them.",
        "mps",
        *(query(rate(f"{stage}_consumed_total", stage), "{{job}} {{instance}}") for stage in CONSUMERS),
    ),
    timeseries(
        "Produced or written",
        "Records per second of the processes that carry the subsystem.",
        "mps",
        query(rate("saltransform_produced_total", "saltransform"), "{{job}} {{instance}}"),
        query(rate("influxsink_written_total", "influxsink"), "{{job}} {{instance}}"),
    ),
    timeseries(
        "Dead letters",
        "Messages per second that those processes cannot carry; `kafkaefd dead-letters list --topic` counts them by "
        "topic.",
        "mps",
        *(query(rate(f"{stage}_dead_letters_total", stage), "{{job}} {{instance}}") for stage in CONSUMERS),
    ),
    states(
        "Readiness",
        "What those processes wait for.",
        *of_processes(
            f"min by (job, instance, dependency) (kafka_efd_ready{{{CHOSEN}}})", "{{job}} {{instance}} {{dependency}}"
        ),
        mappings=READY,
    ),
    timeseries(
        "Partitions",
        "Partitions that the group has assigned to each process.",
        "none",
        *of_processes(f"sum by (job, instance) (kafka_assigned_partitions{{{CHOSEN}}})"),
    ),
    timeseries(
        "Memory",
        "Resident memory of those processes.",
        "bytes",
        *of_processes(f"sum by (job, instance) (process_resident_memory_bytes{{{CHOSEN}}})"),
    ),
    table(
        "Who carries it",
        "The processes that have messages of the subsystem, and their lag in seconds.",
        "s",
        *(
            instant(f"max by (job, instance, subsystem) ({stage}_lag_seconds{{{CHOSEN_SUBSYSTEM}}})")
            for stage in CONSUMERS
        ),
        width=24,
        height=6,
    ),
]


def build():
    return dashboard(
        "kafka-efd-subsystem",
        "kafka-efd: one subsystem",
        "A SAL component's messages through the stages.",
        VARIABLES,
        [("Flow", FLOW), ("Topics", TOPIC_PANELS), ("The processes that carry it", PROCESSES)],
    )
