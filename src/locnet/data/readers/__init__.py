"""Readers: one small file a label format, all giving `Records`."""
