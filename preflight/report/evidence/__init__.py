"""What the checks measured, as the JSON report has it: a module of shapes for each family of sections.

The names of the fields are the keys of the report's `evidence` and stay as they are (contract of the JSON report). What
is not known is null; a field that is `UNSET` is left out. `shapes` says which check has which.
"""
