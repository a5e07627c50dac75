"""`format=web`: a folder that shows what a network can do, in a browser, with no server behind it."""
