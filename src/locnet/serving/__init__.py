"""The localizer behind HTTP: bounded in memory, in time and in what it believes of its clients."""
