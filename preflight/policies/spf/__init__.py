"""SPF (RFC 7208): a record's terms, and what they come to for an address, by answers that are there already."""
