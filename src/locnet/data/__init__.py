"""Labelled images: readers give records, a data set gives samples, the data module serves batches."""
