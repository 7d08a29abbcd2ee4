"""The dashboards' panels, one module a dashboard; `grafana` builds what Grafana reads, `prometheus` the queries."""
