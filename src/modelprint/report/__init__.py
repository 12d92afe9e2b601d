"""Self-contained HTML pages made from records; nothing here runs a model.

`verdict/` makes the report of `verify`, `bench/` the page of a benchmark's results, `drawing/` holds what both draw
with, `templates/` their pages. Imported by cli only. A new section is a module in a room, called from its `render`, and
a block in the room's template.
"""

from modelprint.report.verdict.cases import Case
from modelprint.report.verdict.render import render_report, write_report

__all__ = ["Case", "render_report", "write_report"]
