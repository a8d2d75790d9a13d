"""What mailcow is: its layout, its settings, and the numbers it documents."""
