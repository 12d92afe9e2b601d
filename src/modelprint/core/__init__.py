"""What every layer shares: records, errors, access levels, the suspect protocol, registry, identity, files."""
