"""What benchmarks and studies measured: the records, their files, and the one view of them.

Bench writes these records, and bench and report read them, through `View` only; nothing here runs a model. May be
imported by bench, report and cli. A new figure is a field of a record in `records`, and a method of `view.View`.
"""
