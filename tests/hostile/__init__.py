"""The hostile corpus: inputs made by code to hurt whoever reads them, each with what must happen instead.

`corpus.py` has the record of one input, `kinds/` the families, `commands.py` what they are given to, `seeds.py` the
whole things that are damaged, `worker.py` the process that runs them and `driver.py` the process that watches it. A new
input is one `hostile(...)` in a family under `kinds/`: a name, the bytes, and a word that the refusal must contain.

`pytest tests/hostile` runs a part of every kind; `pytest -m hostile tests/hostile` runs all and writes results.json.
"""
