"""The command line's own commands, each a module with add_arguments(parser) and run(args)."""
