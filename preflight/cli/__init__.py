"""The command line: options, progress, and where reports go."""
