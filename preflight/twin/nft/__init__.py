"""The rules of nf_tables, copied as the kernel's own messages: no tool's text lies in between."""
