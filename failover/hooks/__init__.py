"""Ways out to other programs: notifications and commands."""
