"""Protocols of `dimr eval`, one module each, exposing one function.

It measures, prints a table and returns the report that `--json` writes. What is heavy is imported
inside of it, as in `dimr.commands`.
"""
