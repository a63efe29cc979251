"""One YAML file per service: its schema, its loading with line and column, its release archive."""
