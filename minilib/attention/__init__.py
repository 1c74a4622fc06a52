"""Attention, the Vision Transformer, and where a model looks."""
