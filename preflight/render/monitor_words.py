"""What the formats for monitoring systems say in words: one sentence for each metric, and their states."""

BUILD = "The version of mailcow preflight, and the requirements that it used. The value is always 1."
VERDICT = "The verdict of the last run. It is 1 for the verdict that applies and 0 for all others."
RESULT = "The result of each check and subject. It is 1 for the status that applies and 0 for all others."
RESULTS = "The number of results with each status."
DURATION = "How long the last run took, in seconds."
TIMESTAMP = "When the last run began, in seconds since 1970-01-01 00:00 UTC."
SAME = "{label} (number {number})"
