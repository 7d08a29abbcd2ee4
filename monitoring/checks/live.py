"""Runs every query of every panel, and of every variable, against a Prometheus and an InfluxDB that have real data.

A query must return data, or be listed here with the reason why it has none. The rules are evaluated without an error, the
expression of every alert reads series that exist, and every metric that the binaries expose is on a panel.
"""

import tempfile
import time

from . import Failure, dashboards, exposed, promql, rules, top
from .running import STAGES, Running, say, start
from .top import RATE_INTERVAL

WINDOW = 240  # seconds that the panels show

# Queries that have no data on a pipeline without trouble.
EMPTY_PANELS = {
    ("clients", "Age of mirrored records"): "no mirror is running",
    ("clients", "Latency of the mirror"): "no mirror is running",
    ("clients", "Mirrored records"): "no mirror is running",
    ("clients", "Mirrored bytes"): "no mirror is running",
    ("subsystem", "Topics recreated"): "no topic was recreated",
}


def substituted(text, values):
    """A query as Grafana sends it: `$name`, `${name}` and `${name:regex}` replaced."""
    for name, value in sorted(values.items(), key=lambda item: -len(item[0])):
        for form in (f"${{{name}:regex}}", f"${{{name}}}", f"${name}"):
            text = text.replace(form, value)
    return text


def label_values(running, query):
    """The values of a variable: label_values(selector, label)."""
    selector, label = query.removeprefix("label_values(").removesuffix(")").rsplit(", ", 1)
    return running.prometheus("series", **{"match[]": selector}), label


def chosen_values(running, dashboard):
    """A value for each variable, and problems of variables without one. All is `.*`, a single choice the last value."""
    values, problems = {"__rate_interval": RATE_INTERVAL}, []
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "datasource":
            continue
        if variable["datasource"]["type"] == "influxdb":
            found = [row[column] for row in running.flux(with_times(substituted(variable["query"], values)))
                     for column in ("_value", "name") if column in row]  # fmt: skip
        else:
            series, label = label_values(running, substituted(variable["definition"], {**values, "job": ".*"}))
            found = sorted({one[label] for one in series if label in one})
        if not found:
            problems.append(f"{dashboard['title']}: the variable {variable['name']} has no values")
        every = variable.get("includeAll")
        values[variable["name"]] = ".*" if every or not found else preferred(found)
    return values, problems


def preferred(found):
    """The database's bucket and a measurement of ours rather than the first of the list."""
    return next((value for value in found if value.startswith("lsst.sal.")), found[0])


def with_times(query):
    """A Flux query with the times that Grafana gives; imports must stay first."""
    option = f"option v = {{timeRangeStart: -{WINDOW}s, timeRangeStop: now(), windowPeriod: 5s}}\n"
    lines = query.splitlines(keepends=True)
    imports = [line for line in lines if line.startswith("import ")]
    return "".join(imports) + option + "".join(line for line in lines if line not in imports)


def has_data(running, target, query):
    if "expr" not in target:
        return bool(running.flux(with_times(query)))
    now = time.time()
    found = running.prometheus("query_range", query=query, start=now - WINDOW, end=now, step="5")["result"]
    return any(value not in ("NaN", "+Inf", "-Inf") for series in found for _, value in series["values"])


def query_problems(running):
    """(number of queries, problems)."""
    number, problems = 0, []
    empty = set()
    for name, dashboard in dashboards.loaded():
        values, without = chosen_values(running, dashboard)
        problems += without
        for panel in dashboards.panels(dashboard):
            for target in panel["targets"]:
                number += 1
                where, query = (name, panel["title"]), substituted(target.get("expr") or target["query"], values)
                try:
                    found = has_data(running, target, query)
                except Failure as failure:
                    problems.append(f"{name}, panel {panel['title']!r}: {failure}, for {query}")
                    continue
                if not found:
                    empty.add(where)
                    if where not in EMPTY_PANELS:
                        problems.append(f"{name}, panel {panel['title']!r}: no data for {query}")
    for name, title in sorted(set(EMPTY_PANELS) - empty):
        problems.append(f"{name}, panel {title!r} has data: remove it from EMPTY_PANELS")
    return number, problems


def rule_problems(running):
    """Rules that Prometheus cannot evaluate, and recording rules and alerts that read no series."""
    names = set(running.prometheus("label/__name__/values"))
    for group in running.prometheus("rules")["groups"]:
        for rule in group["rules"]:
            if rule["health"] != "ok":
                yield f"rule {rule['name']}: {rule['health']} {rule.get('lastError', '')}"
    for name in sorted(set(rules.records()) - names):
        yield f"rule {name} has no data"
    for alert in rules.alerts():
        reads = {name for name in promql.metrics(alert["expr"], names) if not name.startswith(rules.MIRROR)}
        if missing := reads - names:
            yield f"alert {alert['alert']} reads {', '.join(sorted(missing))}, which have no data"


def account_problems(running):
    """The account of each process adds up on the pipeline that has seen bad messages and an outage."""
    expr = "min_over_time(abs(instance:messages_unaccounted:difference)[1m:1s])"
    found = running.prometheus("query", query=expr)["result"]
    if len(found) != 2:
        yield f"{expr} has {len(found)} series, expected one of saltransform and one of influxsink"
    for series in found:
        if float(series["value"][1]) != 0:
            yield f"{series['metric']['job']}: {series['value'][1]} messages are not accounted for"


def check(binaries):
    with tempfile.TemporaryDirectory(prefix="monitoring-") as folder, Running(binaries, folder) as running:
        start(running)
        of_binaries = set().union(*(exposed.of_text(running.metrics(stage)) for stage in STAGES))
        say(f"{len(of_binaries)} metrics are exposed")
        number, problems = query_problems(running)
        problems += [*rule_problems(running), *account_problems(running), *top.problems(running)]
        problems += dashboards.metric_problems(of_binaries)
        firing = {alert["labels"]["alertname"] for alert in running.prometheus("alerts")["alerts"]}
        if "KafkaEfdDeadLetters" not in firing:
            problems.append("KafkaEfdDeadLetters does not fire although there are dead letters")
        say(f"alerts that fire or are pending: {', '.join(sorted(firing))}")
    return f"{number} queries on a running pipeline", problems
