"""What domains publish about their mail and their certificates: SPF, DKIM, DMARC, MTA-STS, CAA, TLSA. Pure."""
