"""The dress rehearsal: mailcow's stack in miniature, brought up for a moment, tried, and removed."""
