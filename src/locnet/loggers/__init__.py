"""The loggers that a configuration can name, under one set of names; history.jsonl is written whatever is chosen."""
