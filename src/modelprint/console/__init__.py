"""The local web page: a registry's fingerprints, scans of suspects with live progress, reports, exports.

The parts: `app` has the routes; `guard` decides which requests reach them; `uploads` keeps what a browser sends; `jobs`
does the work in the background, `work` says what the work is; `enroll_form` reads what a fingerprint is to be made of,
`enrolling` has it made in another process; `views` turns records into rows; `templates` are the pages. Imported by the
command line; imports report, screening and what lies below. A new page is a route and its template.
"""
