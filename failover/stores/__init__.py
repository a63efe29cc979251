"""State, journal, lease and audit log."""
