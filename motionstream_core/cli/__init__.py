"""The command line: each module has add_arguments(parser) and run(args). Nothing imports it."""
