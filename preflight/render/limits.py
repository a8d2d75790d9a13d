"""How much a report for people shows at most; the JSON report has it all."""

ROWS = 50  # of one cause
SUBJECTS = 8  # named in one sentence
PARAGRAPH = 1000  # characters
WIDTH = 80  # columns of text, where there is no terminal
NARROWEST, WIDEST = 40, 100  # of a terminal's: narrower breaks every sentence, wider is hard to read
