"""A cartoon world in closed form, and the training of a small text-to-video network on it."""
