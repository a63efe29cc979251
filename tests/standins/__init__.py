"""Stand-ins for providers: HTTP servers on loopback, written from the providers' documents, not from our adapters."""
