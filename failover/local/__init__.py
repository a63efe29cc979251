"""The embedded default: small clouds, name servers and control beacons as processes on this machine."""
