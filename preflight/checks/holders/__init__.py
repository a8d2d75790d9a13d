"""Who holds a port, and how it is given up without harm."""
