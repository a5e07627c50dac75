"""The configuration: where it lies, how a command reads it, what it may say."""
