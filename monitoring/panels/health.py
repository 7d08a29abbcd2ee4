"""The lower half of the pipeline's dashboard: what is not carried, what the stages wait for, and their processes."""

from .grafana import READY, states, table, timeseries
from .prometheus import CHOSEN, chosen, increase, instant, query, rate

NOT_CARRIED = [
    timeseries(
        "Dead letters by reason",
        "Messages that could not be carried, by the step that refused them and the reason.",
        "none",
        *(
            query(
                increase(f"{stage}_dead_letters_total", "job, stage, reason", hide_zeros=True),
                "{{job}} {{stage}} {{reason}}",
            )
            for stage in ("saltransform", "influxsink")
        ),
    ),
    timeseries(
        "Skipped",
        "Messages that carry nothing: tombstones and empty values.",
        "none",
        *(
            query(increase(f"{stage}_skipped_total", "job, reason"), "{{job}} {{reason}}")
            for stage in ("saltransform", "influxsink")
        ),
    ),
    timeseries(
        "Values not carried",
        "Values skipped, omitted or ambiguous in messages that were carried (saltransform), and fields left "
        "out of points (influxsink).",
        "none",
        *(
            query(increase(metric, "job, reason"), "{{job}} {{reason}}")
            for metric in ("saltransform_notes_total", "influxsink_left_out_total")
        ),
    ),
    timeseries(
        "Points overwritten",
        "Points with the series and time of another message, of which only the later one remains.",
        "none",
        query(increase("influxsink_overwritten_total", "job, reason"), "{{job}} {{reason}}"),
    ),
    timeseries(
        "Messages not accounted for",
        "consumed - produced or written - dead letters - skipped - released - in flight, of each "
        "process: 0 unless something is wrong, but for moments between two readings.",
        "none",
        query(chosen("instance:messages_unaccounted:difference"), "{{job}} {{instance}}"),
    ),
    timeseries(
        "Missing between the stages",
        "Records that saltransform produced in the last hour, that influxsink has not consumed and "
        "that do not wait for it. Below 0 while influxsink catches up or reads again.",
        "none",
        query("namespace:messages_missing_between_stages:increase1h", "missing {{namespace}}"),
    ),
]

DEPENDENCIES = [
    states(
        "Readiness by dependency",
        "What each process waits for, as in /ready.",
        query(f"min by (job, dependency) ({chosen('kafka_efd_ready')})", "{{job}} {{dependency}}"),
        mappings=READY,
    ),
    timeseries(
        "Requests to the database repeated",
        "Requests that were not accepted at once, by reason.",
        "none",
        query(increase("influxsink_retries_total", "job, reason", hide_zeros=True), "{{job}} {{reason}}"),
    ),
    timeseries(
        "Requests to the schema registry",
        "By result.",
        "reqps",
        *(
            query(rate(f"{stage}_schema_lookups_total", "job, result"), "{{job}} {{result}}")
            for stage in ("saltransform", "influxsink")
        ),
    ),
    timeseries(
        "Points with Kafka's time",
        "Points whose own time cannot be used (--time-from-kafka).",
        "none",
        query(increase("influxsink_time_from_kafka_total", "job"), "{{job}}"),
    ),
    table(
        "Alerts",
        "Alerts of monitoring/rules that fire or are about to.",
        "none",
        instant('ALERTS{alertname=~"KafkaEfd.*", job=~"$job|"}'),
        hidden=("Value",),
        width=16,
    ),
]

PROCESSES = [
    timeseries(
        "Memory",
        "Resident memory of each process.",
        "bytes",
        query(chosen("process_resident_memory_bytes"), "{{job}} {{instance}}"),
    ),
    timeseries(
        "CPU",
        "CPU time of each process per second: 1 is one core.",
        "none",
        query(rate("process_cpu_seconds_total", "job, instance"), "{{job}} {{instance}}"),
    ),
    timeseries("Threads", "Threads of each process.", "none", query(chosen("process_threads"), "{{job}} {{instance}}")),
    timeseries(
        "File descriptors",
        "Open, of those that the process may open. Each broker takes one per client.",
        "percentunit",
        query(f"{chosen('process_open_fds')} / {chosen('process_max_fds')}", "{{job}} {{instance}}"),
        steps=((0.8, "red"),),
    ),
    timeseries(
        "Time since the start",
        "A fall to 0 is a restart.",
        "s",
        query(f"time() - {chosen('process_start_time_seconds')}", "{{job}} {{instance}}"),
    ),
    timeseries(
        "Log lines dropped",
        "Lines that stderr did not take: it is closed, full, or not read.",
        "none",
        query(increase("log_lines_dropped_total", "job"), "{{job}}"),
    ),
    table(
        "Builds",
        "Version and revision of each process.",
        "none",
        instant(f"kafka_efd_build_info{{{CHOSEN}}}"),
        hidden=("Value",),
        width=24,
        height=6,
    ),
]
