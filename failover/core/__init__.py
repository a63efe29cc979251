"""What is true and what to do: pure functions from values to values and reasons."""
