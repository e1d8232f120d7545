"""How adapters are found: by the scheme of a URL, through entry points of the group `orderkit`, loaded when asked for.

Importing this package imports nothing else; pluggy comes in with `hookspecs` and `manager`, which only `open()` needs.
"""
