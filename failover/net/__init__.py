"""What adapters share: HTTP with deadlines, retries, secrets and their redaction, shipped data files."""
