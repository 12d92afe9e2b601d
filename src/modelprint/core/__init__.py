"""What every layer shares: records, errors, access levels, the suspect protocol, registry, identity, files, sandbox.

Every room may import it; it imports none. Something belongs here only if rooms that must not know each other need it.
"""
