"""Segment Anything: a mask for a click, a box or another mask (Kirillov et al. 2023)."""
