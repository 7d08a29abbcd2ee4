"""Queries to Prometheus, and the variables that they use.

A counter appears only within `rate` or `increase`, over `$__rate_interval`, which Grafana keeps above four scrape
intervals.
"""

from . import grafana

# What every query selects by.
CHOSEN = 'job=~"$job", instance=~"$instance"'

JOB = grafana.query_variable(
    "job", "Stage", "label_values(kafka_efd_build_info, job)", description="salmock, saltransform, influxsink"
)
INSTANCE = grafana.query_variable("instance", "Instance", 'label_values(kafka_efd_build_info{job=~"$job"}, instance)')
SUBSYSTEM = grafana.query_variable(
    "subsystem",
    "Subsystem",
    "label_values(saltransform_last_message_timestamp_seconds, subsystem)",
    description="SAL component, such as MTMount",
)
VARIABLES = [grafana.datasource_variable("prometheus"), JOB, INSTANCE, SUBSYSTEM]

QUANTILES = ((0.5, "p50"), (0.99, "p99"))


def query(expr, legend):
    """A range query."""
    return {"expr": expr, "legendFormat": legend, "editorMode": "code", "range": True}


def instant(expr):
    """The latest values as a table."""
    return {
        "expr": expr,
        "legendFormat": "__auto",
        "editorMode": "code",
        "format": "table",
        "instant": True,
        "range": False,
    }


def chosen(metric, more=""):
    """The series of a metric that the variables choose."""
    return f"{metric}{{{CHOSEN}{more}}}"


def rate(metric, by="job", more=""):
    """Events per second."""
    return f"sum by ({by}) (rate({chosen(metric, more)}[$__rate_interval]))"


def rates(legend, *metrics, by="job"):
    """The rates of counters; `legend` may contain the metric's last words as `{what}`."""
    return [
        query(rate(metric, by), legend.format(what=metric.removesuffix("_total").split("_")[-1])) for metric in metrics
    ]


def increase(metric, by, more="", hide_zeros=False):
    """Events in each interval. `hide_zeros` keeps the legend short where a label has many values."""
    expr = f"sum by ({by}) (increase({chosen(metric, more)}[$__rate_interval]))"
    return f"{expr} > 0" if hide_zeros else expr


def quantiles(metric, by="job"):
    """p50 and p99 of a histogram, over all chosen processes together."""
    legend = " ".join("{{" + label + "}}" for label in by.split(", "))
    return [
        query(
            f"histogram_quantile({q}, sum by ({by}, le) (rate({chosen(metric + '_bucket')}[$__rate_interval])))",
            f"{legend} {name}",
        )
        for q, name in QUANTILES
    ]
