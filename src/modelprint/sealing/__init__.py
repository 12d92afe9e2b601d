"""Evidence that anybody can check: canonical JSON, signed envelopes, time stamps, one container; knows no scheme.

Imported by ownership; imports core only. A new statement is a record in `statements`; old ones stay readable.
"""
