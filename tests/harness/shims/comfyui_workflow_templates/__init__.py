"""Stands in for the host's own example workflows, a large download: an empty list, beside which the template
browser shows those of the packs.
"""
