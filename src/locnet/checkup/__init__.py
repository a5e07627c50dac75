"""What `python -m locnet.doctor` does: look at every label and image, and tell it in a page, a list and one screen."""
