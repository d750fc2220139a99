"""`evaluate`: the held-out evaluation and the paper's findings, from the command line."""
