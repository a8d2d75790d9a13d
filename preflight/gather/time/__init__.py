"""The time that servers elsewhere tell: by SNTP, and by the Date of web servers where that fails."""
