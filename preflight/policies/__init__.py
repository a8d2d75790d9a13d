"""What domains publish about their mail in TXT records: SPF, DKIM, DMARC, and transport security. Pure."""
