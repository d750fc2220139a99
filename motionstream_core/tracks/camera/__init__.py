"""Camera moves, poses and camera files."""
