"""`train`: the methods of training, their data and plans, from the command line."""
