"""Arithmetic before anything is loaded: parameters, FLOPs, memory of a stream, cost of a training."""
