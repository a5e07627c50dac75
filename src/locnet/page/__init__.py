"""What all HTML pages share: one style, light and dark, pictures inside, nothing fetched from anywhere."""
