"""A trained localizer in other engines' files: image in, answer out, preprocessing and calibration inside."""
