"""One self-contained HTML file made from records; runs no model."""

from modelprint.report.cases import Case
from modelprint.report.render import render_report, write_report

__all__ = ["Case", "render_report", "write_report"]
