"""Tables of docs/, made from benchmarks/results alone: `python -m research.tables` puts all of them into their pages.

To add one: a function that gives the table as Markdown, and its marker in `__main__`.
"""
