"""`report.html` of a run: one file that says how good it is, and shows which images fail and why."""
