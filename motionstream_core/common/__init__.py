"""What every room may use: devices, uploads. Imports nothing of the core."""
