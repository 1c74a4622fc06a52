"""Weights to and from the public libraries: one file for each, one table of names for each model.

The libraries are imported when a function needs them, never before.
"""
