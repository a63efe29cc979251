"""The command line: thin commands, wiring, rendering."""
