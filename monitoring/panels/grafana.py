"""Grafana's JSON model: panels, variables and the layout of a dashboard.

A dashboard is a list of rows, a row is a title and a list of panels. Panels are placed from left to right in Grafana's
grid of 24 columns and wrap. Each panel has a title, a description and a unit, and takes its data source from a
variable; scripts/check-monitoring tests this.
"""

COLUMNS = 24
# The lags at which `kafkaefd top` changes the colour.
LAG_STEPS = ((100, "yellow"), (10_000, "red"))

SCHEMA_VERSION = 39  # Grafana 10.2 and later; later ones migrate it

DATASOURCE = {
    "prometheus": {"type": "prometheus", "uid": "${datasource}"},
    "influxdb": {"type": "influxdb", "uid": "${datasource}"},
}


def thresholds(*steps):
    """Colours by value: green, then (value, colour) from each value on."""
    colours = [{"color": "green", "value": None}, *({"color": colour, "value": value} for value, colour in steps)]
    return {"mode": "absolute", "steps": colours}


def mapping(**texts):
    """Texts for values: `mapping(_0=("down", "red"), _1=("up", "green"))`."""
    options = {
        key.lstrip("_"): {"text": text, "color": colour, "index": index}
        for index, (key, (text, colour)) in enumerate(texts.items())
    }
    return [{"type": "value", "options": options}]


READY = mapping(_0=("waiting", "red"), _1=("ready", "green"))


def panel(
    kind,
    title,
    description,
    unit,
    targets,
    *,
    source="prometheus",
    width=8,
    height=8,
    custom=None,
    defaults=None,
    options=None,
    overrides=None,
    transformations=None,
):
    """A panel of any kind. `targets` are queries made by `prometheus.query` or `flux`."""
    named = [
        {"refId": chr(ord("A") + number), "datasource": DATASOURCE[source], **target}
        for number, target in enumerate(targets)
    ]
    return {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": DATASOURCE[source],
        "gridPos": {"w": width, "h": height},
        "targets": named,
        "fieldConfig": {
            "defaults": {"unit": unit, "custom": custom or {}, "thresholds": thresholds(), **(defaults or {})},
            "overrides": overrides or [],
        },
        "options": options or {},
        "transformations": transformations or [],
    }


def timeseries(title, description, unit, *targets, stacked=False, steps=(), **rest):
    """Lines over time. `steps` are thresholds, drawn as lines."""
    custom = {
        "drawStyle": "line",
        "lineWidth": 1,
        "fillOpacity": 30 if stacked else 8,
        "showPoints": "never",
        "spanNulls": False,
        "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
        "thresholdsStyle": {"mode": "line" if steps else "off"},
    }
    options = {
        "legend": {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"], "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    defaults = {"thresholds": thresholds(*steps), "color": {"mode": "palette-classic"}, **rest.pop("defaults", {})}
    return panel(
        "timeseries", title, description, unit, targets, custom=custom, options=options, defaults=defaults, **rest
    )


def stat(title, description, unit, *targets, steps=(), mappings=None, **rest):
    """The latest value of each series, large."""
    options = {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "colorMode": "value",
        "graphMode": "area",
        "textMode": "auto",
        "justifyMode": "auto",
    }
    defaults = {"thresholds": thresholds(*steps), "color": {"mode": "thresholds"}, "mappings": mappings or []}
    return panel(
        "stat",
        title,
        description,
        unit,
        targets,
        options=options,
        defaults=defaults,
        **{"height": 5, "width": 4, **rest},
    )


def states(title, description, *targets, mappings, **rest):
    """A line of coloured states for each series."""
    options = {
        "mergeValues": True,
        "showValue": "never",
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
    }
    defaults = {"mappings": mappings, "color": {"mode": "thresholds"}}
    return panel(
        "state-timeline",
        title,
        description,
        "none",
        targets,
        custom={"fillOpacity": 80, "lineWidth": 0},
        options=options,
        defaults=defaults,
        **rest,
    )


def table(title, description, unit, *targets, hidden=(), **rest):
    """A table of the latest values; `hidden` are columns that it leaves out."""
    steps = [{"id": "organize", "options": {"excludeByName": {name: True for name in ["Time", "__name__", *hidden]}}}]
    return panel(
        "table", title, description, unit, targets, transformations=steps, options={"showHeader": True}, **rest
    )


def datasource_variable(kind):
    """The data source itself, so that a dashboard is imported without editing it."""
    return {
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": kind,
        "refresh": 1,
        "hide": 0,
        "current": {},
    }


def query_variable(name, label, query, *, source="prometheus", every=True, description=""):
    """A variable whose values are the answer of a query; with `every`, several or all can be chosen.

    All is `.*` and not the list of values, so that a series without the label is matched as well and a long list does
    not make the query too long.
    """
    chosen = {"text": ["All"], "value": ["$__all"]} if every else {}
    rest = {"allValue": ".*"} if every else {}
    return {
        "name": name,
        "label": label,
        "type": "query",
        "description": description,
        "datasource": DATASOURCE[source],
        "query": query if source == "influxdb" else {"query": query, "refId": name},
        "definition": query,
        "refresh": 2,
        "sort": 1,
        "includeAll": every,
        "multi": every,
        "current": chosen,
        "hide": 0,
        **rest,
    }


def dashboard(uid, title, description, variables, rows, *, refresh="10s", since="now-1h"):
    """A dashboard of rows, each a title and a list of panels."""
    panels, top = [], 0
    for heading, members in rows:
        panels.append(
            {
                "type": "row",
                "title": heading,
                "collapsed": False,
                "panels": [],
                "gridPos": {"x": 0, "y": top, "w": COLUMNS, "h": 1},
            }
        )
        top, left, tallest = top + 1, 0, 0
        for member in members:
            size = member["gridPos"]
            if left + size["w"] > COLUMNS:
                top, left, tallest = top + tallest, 0, 0
            panels.append({**member, "gridPos": {"x": left, "y": top, **size}})
            left, tallest = left + size["w"], max(tallest, size["h"])
        top += tallest
    for number, member in enumerate(panels, start=1):
        member["id"] = number
    return {
        "uid": uid,
        "title": title,
        "description": description,
        "tags": ["kafka-efd"],
        "editable": True,
        "graphTooltip": 1,
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "timezone": "utc",
        "refresh": refresh,
        "time": {"from": since, "to": "now"},
        "templating": {"list": variables},
        "annotations": {"list": []},
        "panels": panels,
        "links": [
            {
                "type": "dashboards",
                "title": "kafka-efd",
                "tags": ["kafka-efd"],
                "asDropdown": True,
                "includeVars": True,
                "keepTime": True,
            }
        ],
    }
