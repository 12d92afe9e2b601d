"""The report of one fingerprint and the models that were checked against it.

Imports `drawing`, ownership's records and core, never `report.bench`; only `modelprint.report` and cli import it. A
section is one module with a function that returns what the template shows: call it in `render`, give it a block in
`report.html.j2`. What is one scheme's own stands in the scheme as data (`core.sections`): `scheme_sections` draws it,
and no module here knows a scheme by its name.
"""
