"""What people look at after a run: scores beside baselines, tables, annotated images, plots."""
