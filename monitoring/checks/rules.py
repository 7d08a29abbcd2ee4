"""Checks monitoring/rules: promtool's check and tests, and what promtool does not know of.

Every alert has a severity, a summary, a description with the value and a runbook that exists; a test in which it fires and
one in which it does not, with series of the metrics that it reads; and is part of monitoring/prometheus-rule.yaml.
"""

import functools
import re

import yaml

from .. import prometheus_rule
from . import MONITORING, ROOT, exposed, promql, tools

RULES = sorted((MONITORING / "rules").glob("*.yaml"))
TESTS = sorted((MONITORING / "tests").glob("*.yaml"))

SEVERITIES = {"critical", "warning"}
# level:metric:operation
RECORD = re.compile(r"^[a-z0-9_]+:[a-z0-9_]+:[a-z0-9_]+$")
MIRROR = "kafka_connect_mirror_mirrorsourceconnector_"
FROM_ELSEWHERE = {"up", "ALERTS"}


@functools.cache
def all_rules():
    return [rule for path in RULES for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]


@functools.cache
def records():
    """Recording rules: name and expression."""
    return {rule["record"]: rule["expr"] for rule in all_rules() if "record" in rule}


def alerts():
    return [rule for rule in all_rules() if "alert" in rule]


@functools.cache
def known():
    return exposed.of_page()


@functools.cache
def read_by(expr):
    """The exposed metrics that an expression reads, also through recording rules."""
    found, waiting, seen = set(), [expr], set()
    while waiting:
        for name in promql.metrics(waiting.pop(), known()):
            if name in records() and name not in seen:
                seen.add(name)
                waiting.append(records()[name])
            elif name not in records():
                found.add(name)
    return found


def unknown_metrics(expr):
    """Metrics that neither a binary nor MirrorMaker nor Prometheus exposes."""
    names = {promql.family(name) for name in read_by(expr)}
    return {name for name in names - known() - FROM_ELSEWHERE if not name.startswith(MIRROR)}


def rule_problems():
    headings = re.findall(r"^#+ (.+)$", (ROOT / "docs" / "runbooks.md").read_text(), re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
    for rule in all_rules():
        name = rule.get("alert") or rule["record"]
        if missing := unknown_metrics(rule["expr"]):
            yield f"{name}: no binary exposes {', '.join(sorted(missing))}"
    for name in records():
        if not RECORD.match(name):
            yield f"{name}: a recording rule is named level:metric:operation"
    for alert in alerts():
        name, annotations = alert["alert"], alert.get("annotations", {})
        if alert.get("labels", {}).get("severity") not in SEVERITIES:
            yield f"{name}: severity must be one of {', '.join(sorted(SEVERITIES))}"
        if not annotations.get("summary") or "$value" not in annotations.get("description", ""):
            yield f"{name}: needs a summary, and a description with the value"
        if annotations.get("runbook_url") != f"{prometheus_rule.RUNBOOKS}#{name.lower()}":
            yield f"{name}: runbook_url must be {prometheus_rule.RUNBOOKS}#{name.lower()}"
        if name.lower() not in anchors:
            yield f"{name}: docs/runbooks.md has no such heading"


def test_problems():
    """Every alert fires in a test, and in another one, which has its metrics, it does not."""
    fires, quiet = set(), set()
    for path in TESTS:
        for test in yaml.safe_load(path.read_text())["tests"]:
            series = {re.match(r"[\w:]+", row["series"])[0] for row in test["input_series"]}
            cases = test.get("alert_rule_test", [])
            fired = {case["alertname"] for case in cases if case["exp_alerts"]}
            fires |= fired
            for case in cases:
                reads = [read_by(alert["expr"]) for alert in alerts() if alert["alert"] == case["alertname"]]
                if not reads:
                    yield f"{path.name}: {case['alertname']} is not an alert"
                elif case["alertname"] not in fired and reads[0] & series:
                    quiet.add(case["alertname"])
    for alert in alerts():
        if alert["alert"] not in fires:
            yield f"{alert['alert']}: no test in which it fires"
        if alert["alert"] not in quiet:
            yield f"{alert['alert']}: no test with its metrics in which it does not fire"


def promtool_problems():
    _, promtool = tools.installed()
    for verb, paths in (("check", RULES), ("test", TESTS)):
        code, text = tools.said([promtool, verb, "rules", *paths])
        if code != 0:
            yield f"promtool {verb} rules:\n{text.rstrip()}"


def resource_problems():
    path = prometheus_rule.RESOURCE
    if not path.exists() or path.read_text() != prometheus_rule.resource():
        yield f"{path.name} is not up to date: run `make rules`"
        return
    groups = [group for source in prometheus_rule.sources() for group in yaml.safe_load(source.read_text())["groups"]]
    if yaml.safe_load(path.read_text())["spec"]["groups"] != groups:
        yield f"{path.name} has other rules than monitoring/rules"


def check():
    problems = [*rule_problems(), *test_problems(), *promtool_problems(), *resource_problems()]
    return f"{len(records())} recording rules, {len(alerts())} alerts, {len(TESTS)} files of tests", problems
