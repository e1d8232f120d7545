"""A real shop's year through the library: reading it, giving each line a meaning, and the report.

The front (`reading`, `dispositions`, `matching`, `planning`, `warehouses`) turns a published file into plans and knows nothing of a store.
The back (`report` and the renderers) adds up what the file holds, what the plans said and what was read back from a store.
"""
