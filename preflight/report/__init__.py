"""What a report holds, and the documents it is written to."""
