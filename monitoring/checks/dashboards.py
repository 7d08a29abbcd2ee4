"""Checks monitoring/dashboards without Grafana: what its linter would find, and what only this project can know.

Every panel has a title, a description, a unit and a templated data source; counters appear within rate() or increase() over
$__rate_interval; every metric that the binaries expose is on a panel, and every metric that a panel reads exists; the
dashboards show what `kafkaefd top` shows.
"""

import json
import re

from .. import dashboards
from . import MONITORING, ROOT, exposed, promql, rules

TOP = ROOT / "libs" / "operator" / "src" / "stages" / "process.rs"
TOP_COLOURS = ROOT / "bins" / "kafkaefd" / "src" / "commands" / "top" / "style.rs"
NOTABLE = ROOT / "libs" / "operator" / "src" / "stages" / "brokers.rs"


def loaded():
    """(name, dashboard) of each file."""
    return [(path.stem, json.loads(path.read_text())) for path in sorted((MONITORING / "dashboards").glob("*.json"))]


def panels(dashboard):
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def expressions(dashboard):
    return [target["expr"] for panel in panels(dashboard) for target in panel["targets"] if "expr" in target]


def panel_problems(name, panel):
    where = f"{name}, panel {panel.get('title') or panel['id']!r}"
    for key in ("title", "description"):
        if not panel.get(key):
            yield f"{where}: has no {key}"
    if not panel["fieldConfig"]["defaults"].get("unit"):
        yield f"{where}: has no unit"
    if not panel["targets"]:
        yield f"{where}: has no query"
    for part in (panel, *panel["targets"]):
        if part["datasource"]["uid"] != "${datasource}":
            yield f"{where}: the data source is not ${{datasource}}"
    for target in panel["targets"]:
        yield from (f"{where}: {problem}" for problem in query_problems(target))


def query_problems(target):
    """Problems of a query to Prometheus; those to InfluxDB are run by `--live`."""
    if "expr" not in target:
        return
    expr = target["expr"]
    if not target["legendFormat"]:
        yield "a query without a legend"
    for counter in re.findall(r"(\w*)\(*\b(?:\w+_total|\w+_bucket)\b", expr):
        if counter not in ("rate", "increase"):
            yield f"a counter outside rate() and increase(): {expr}"
    for window in re.findall(r"\[([^\]]+)\]", re.sub(r'"[^"]*"', "", expr)):
        if window not in ("$__rate_interval", "1h"):
            yield f"the window {window} is not $__rate_interval: {expr}"
    ours = [metric for metric in promql.metrics(expr) if promql.family(metric) in exposed.of_page()]
    if ours and not ('job=~"$job"' in expr and 'instance=~"$instance"' in expr):
        yield f"does not select by job and instance: {expr}"


def layout_problems(name, dashboard):
    """Panels overlap, or share an id."""
    taken = {}
    for panel in dashboard["panels"]:
        at = panel["gridPos"]
        if at["x"] + at["w"] > 24:
            yield f"{name}: {panel['title']} is wider than the page"
        for cell in ((x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])):
            if cell in taken:
                yield f"{name}: {panel['title']} overlaps {taken[cell]}"
                break
            taken[cell] = panel["title"]
    if len({panel["id"] for panel in dashboard["panels"]}) != len(dashboard["panels"]):
        yield f"{name}: two panels have the same id"


def variable_problems(name, dashboard):
    variables = {variable["name"]: variable for variable in dashboard["templating"]["list"]}
    if "datasource" not in variables:
        yield f"{name}: has no variable datasource"
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(dashboard["panels"]) + json.dumps(list(variables.values()))))
    for variable in sorted(used - set(variables) - {"__rate_interval", "__all", "__interval"}):
        yield f"{name}: ${variable} is not a variable"
    for variable in sorted(set(variables) - used):
        yield f"{name}: the variable {variable} is not used"
    for variable in variables.values():
        if variable.get("includeAll") and variable.get("allValue") != ".*":
            yield f"{name}: All of {variable['name']} must be .*"


def metric_problems(of_binaries):
    """Every metric is on a panel, every metric on a panel exists."""
    expected = of_binaries - set(exposed.ON_NO_PANEL)
    shown = set()
    for name, dashboard in loaded():
        for expr in expressions(dashboard):
            shown |= {promql.family(metric) for metric in rules.read_by(expr)}
            if missing := rules.unknown_metrics(expr):
                yield f"{name}: no binary exposes {', '.join(sorted(missing))}"
    for metric in sorted(expected - shown):
        yield f"{metric} is on no panel: add one, or a reason to ON_NO_PANEL in monitoring/checks/exposed.py"


def top_problems():
    """The pipeline's dashboard shows what `kafkaefd top` shows, and changes colour at the same lags."""
    text = TOP.read_text()
    names = set(re.findall(r'"((?:salmock|saltransform|influxsink|kafka)_[a-z_]+)"', text))
    pipeline = dict(loaded())["pipeline"]
    shown = {promql.family(metric) for expr in expressions(pipeline) for metric in promql.metrics(expr)}
    for metric in sorted(names - shown):
        yield f"pipeline: {metric} is in `kafkaefd top` and on no panel"
    for panel in panels(pipeline):
        for metric in {promql.family(name) for target in panel["targets"] for name in promql.metrics(target["expr"])}:
            unit = panel["fieldConfig"]["defaults"]["unit"]
            if metric in names and metric.endswith("_seconds") and unit != "s":
                yield f"pipeline: {panel['title']} has the unit {unit}, `kafkaefd top` seconds"
    lags = [int(number.replace("_", "")) for number in
            re.findall(r"NOTABLE_LAG: i64 = ([\d_]+)", NOTABLE.read_text())
            + re.findall(r"NOTABLE_LAG\.\.([\d_]+) =>", TOP_COLOURS.read_text())]  # fmt: skip
    for panel in panels(pipeline):
        steps = [step["value"] for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"][1:]]
        if panel["title"] in ("Lag", "Lag in messages") and steps != lags:
            yield f"pipeline: {panel['title']} changes colour at {steps}, `kafkaefd top` at {lags}"


def check():
    problems = [f"{path.name} is not up to date: run `make dashboards`" for path in dashboards.stale()]
    number = 0
    for name, dashboard in loaded():
        problems += [*layout_problems(name, dashboard), *variable_problems(name, dashboard)]
        for panel in panels(dashboard):
            number += 1
            problems += panel_problems(name, panel)
    problems += [*metric_problems(exposed.of_page()), *top_problems()]
    return f"{len(loaded())} dashboards, {number} panels", problems
