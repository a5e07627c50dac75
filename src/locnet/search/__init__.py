"""Search for good settings: `sweep=optuna`, `sweep=random`, `sweep=grid`."""
