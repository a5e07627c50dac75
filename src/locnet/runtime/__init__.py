"""What surrounds a run: its directory, its checkpoints, its loggers, the prediction table."""
