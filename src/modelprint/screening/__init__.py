"""Many suspects against many owners: a registry of fingerprints, a scan, and its results in other tools' formats.

The parts: `registry` keeps fingerprints and what was found before; `targets` lists the suspects that a command names;
`judging` compares one suspect with every fingerprint, the cheapest evidence first; `correcting` turns their ranks into
verdicts; `scan` does it for all; `formats` writes SARIF and CycloneDX. Imported by the command line and the console;
imports ownership and what lies below. A new format is a module in `formats` with one function of a `Screen`.
"""
