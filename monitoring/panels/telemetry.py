"""The telemetry itself, from InfluxDB by Flux: any field of any measurement."""

from .grafana import dashboard, datasource_variable, query_variable, stat, table, timeseries

BUCKET = query_variable(
    "bucket",
    "Bucket",
    'buckets() |> filter(fn: (r) => r.name !~ /^_/) |> keep(columns: ["name"])',
    source="influxdb",
    every=False,
)
MEASUREMENT = query_variable(
    "measurement",
    "Measurement",
    'import "influxdata/influxdb/schema"\nschema.measurements(bucket: "${bucket}")',
    source="influxdb",
    every=False,
    description="The record's full name, such as lsst.sal.MTMount_Elevation",
)
FIELD = query_variable(
    "field",
    "Fields",
    'import "influxdata/influxdb/schema"\n'
    'schema.measurementFieldKeys(bucket: "${bucket}", measurement: "${measurement}")',
    source="influxdb",
    description="Elements of an array are fields of their own: name0, name1, …",
)

CHOSEN = """from(bucket: "${bucket}")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "${measurement}")
"""
CHOSEN_FIELDS = CHOSEN + "  |> filter(fn: (r) => r._field =~ /^${field:regex}$/)\n"
NUMBERS = f"""import "types"
{CHOSEN_FIELDS}  |> filter(fn: (r) => types.isNumeric(v: r._value))
"""


def flux(query):
    return {"query": query}


FIELDS = [
    timeseries(
        "Mean",
        "The mean of each chosen field in each interval. Text and booleans are in the table of latest values.",
        "none",
        flux(NUMBERS + "  |> toFloat()\n  |> aggregateWindow(every: v.windowPeriod, fn: mean, createEmpty: false)\n"),
        source="influxdb",
        width=24,
        height=10,
    ),
    timeseries(
        "Smallest and largest",
        "The smallest and the largest value of each chosen field in each interval, which a mean hides.",
        "none",
        flux(
            NUMBERS + "  |> toFloat()\n  |> aggregateWindow(every: v.windowPeriod, fn: min, createEmpty: false)\n"
            '  |> yield(name: "min")\n'
        ),
        flux(
            NUMBERS + "  |> toFloat()\n  |> aggregateWindow(every: v.windowPeriod, fn: max, createEmpty: false)\n"
            '  |> yield(name: "max")\n'
        ),
        source="influxdb",
        width=24,
    ),
    table(
        "Latest values",
        "The latest value of each chosen field, whatever its type, and its time.",
        "none",
        flux(
            CHOSEN_FIELDS
            + "  |> last()\n  |> map(fn: (r) => ({_time: r._time, field: r._field, value: string(v: r._value)}))\n"
            '  |> group()\n  |> sort(columns: ["field"])\n'
        ),
        source="influxdb",
        width=12,
    ),
    table(
        "Raw points",
        "The last 100 points of the chosen fields, one row a point.",
        "none",
        flux(
            CHOSEN_FIELDS + '  |> tail(n: 100)\n  |> drop(columns: ["_start", "_stop", "_measurement"])\n'
            '  |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")\n  |> group()\n'
            '  |> sort(columns: ["_time"], desc: true)\n'
        ),
        source="influxdb",
        width=12,
    ),
]

STREAM = [
    timeseries(
        "Points",
        "Points of the measurement in each interval.",
        "none",
        flux(
            CHOSEN + '  |> group(columns: ["_field"])\n'
            "  |> aggregateWindow(every: v.windowPeriod, fn: count, createEmpty: false)\n"
            "  |> group()\n  |> aggregateWindow(every: v.windowPeriod, fn: max, createEmpty: false)\n"
        ),
        source="influxdb",
        width=12,
    ),
    stat(
        "Time since the last point",
        "How old the newest point of the measurement is.",
        "s",
        flux(
            CHOSEN + "  |> last()\n  |> map(fn: (r) => ({_time: r._time}))\n  |> group()\n"
            '  |> sort(columns: ["_time"])\n  |> tail(n: 1)\n  |> map(fn: (r) => ({_time: r._time, _value: '
            "float(v: int(v: now()) - int(v: r._time)) / 1000000000.0}))\n"
        ),
        source="influxdb",
        steps=((60, "yellow"), (300, "red")),
        width=6,
        height=8,
    ),
    table(
        "Fields",
        "All fields of the measurement.",
        "none",
        flux(
            'import "influxdata/influxdb/schema"\n'
            'schema.measurementFieldKeys(bucket: "${bucket}", measurement: "${measurement}", start: v.timeRangeStart)\n'
        ),
        source="influxdb",
        width=6,
    ),
]


def build():
    return dashboard(
        "kafka-efd-telemetry",
        "kafka-efd: telemetry",
        "Any field of any measurement in InfluxDB (Flux).",
        [datasource_variable("influxdb"), BUCKET, MEASUREMENT, FIELD],
        [("Fields", FIELDS), ("Stream", STREAM)],
    )
