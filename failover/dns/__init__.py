"""Record sets at DNS hosts, one module per kind of host."""
