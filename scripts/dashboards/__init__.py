"""Dashboards, alerts and recording rules as code: `make dashboards` writes what the chart installs."""
