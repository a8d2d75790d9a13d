"""The words about DNS records: as tables of a report, and as comments between zone lines."""

from __future__ import annotations

RECORDS = "DNS records"
RECORD_COLUMNS = ("Name", "Type", "Value", "TTL")
RECORD_NOW = "Enter this record at your DNS provider:"
RECORDS_NOW = "Enter these records at your DNS provider:"
RECORDS_REVERSE = "Set these reverse DNS (PTR) records at your hosting provider:"
RECORDS_LAST = "Do this last, when mailcow runs and you have tested it. These names serve somebody today:"
RECORDS_OPTIONAL = "Mail works without these. Some programs find their settings by them:"
RECORDS_PASTE = "As lines of a zone file:"
RECORDS_REMOVE = "Remove these records before that:"
RECORDS_REMOVE_ALONE = "Remove these records at your DNS provider:"
ZONE_REMOVE = "Remove: {line}"
ZONE_REVERSE = "Reverse names: at the provider that leased you the address"
ZONE_LATER = "Last, when mailcow runs and was tested, as these records serve somebody today"
ZONE_STRANGE = "Not a record, so left out: {line}"
ZONE_NOTHING = "No missing record is known of."
ZONE_UNKNOWN = "Nothing was judged: whether a record is missing is not known."
