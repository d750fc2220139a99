"""Stands in for torchaudio, which the host imports at its start and which has no build for this torch. Only
sound nodes would call it.
"""
