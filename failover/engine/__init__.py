"""The line observe → judge → decide → plan → check → execute → verify, and the mirror."""
