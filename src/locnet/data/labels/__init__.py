"""From what label files say to one object an image: the tables that readers fill, checks, choices, defects."""
