"""What makes our figures: plans of zoos and benchmarks, studies, tables of docs/. Not in the wheel.

`plans/` and `benches/` hold TOML files, which `modelprint zoo build` and `modelprint bench run` take by name;
`studies/` measures what no benchmark does, one file and one result each; `tables/` puts committed results into docs/.
Nothing in `src/` may import it; it may import everything. Run from the root of the checkout:
`python -m research.studies.NAME`.
"""
