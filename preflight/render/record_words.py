"""The words about DNS records: as tables of a report, and as comments between zone lines."""

from __future__ import annotations

RECORDS = "DNS records"
RECORD_COLUMNS = ("Name", "Type", "Value", "TTL")
RECORD_NOW = "Enter this record at your DNS provider:"
RECORDS_NOW = "Enter these records at your DNS provider:"
# The same for several records as for one: the ends of what checks advise.
ONE_AND_SEVERAL = (
    (RECORD_NOW, RECORDS_NOW),
    (
        "Once mailcow is tested, enter this record at your DNS provider:",
        "Once mailcow is tested, enter these records at your DNS provider:",
    ),
)
RECORDS_REVERSE = "Set these reverse DNS (PTR) records at your hosting provider:"
RECORDS_LAST = "Do this last, once mailcow runs and you have tested it:"
RECORDS_OPTIONAL = "Mail works without these records. Some programs use them to find their settings:"
RECORDS_PASTE = "As lines of a zone file:"
RECORDS_REMOVE = "In the same step, remove these records:"
RECORDS_REMOVE_ALONE = "Remove these records at your DNS provider:"
ZONE_REMOVE = "Remove: {line}"
ZONE_REVERSE = "Reverse DNS (PTR) records: set them at your hosting provider"
ZONE_LATER = "Last, once mailcow runs and you have tested it"
ZONE_STRANGE = "Left out, because it is not a record: {line}"
ZONE_NOTHING = "No missing records are known."
ZONE_UNKNOWN = "Nothing was judged. Whether records are missing is unknown."
