"""How much a report for people shows at most; the JSON report has it all."""

ROWS = 50  # of one cause
SUBJECTS = 8  # named in one sentence
PARAGRAPH = 1000  # characters
