"""Exercises: built from one source each, checked in the notebook, scored in a sandbox.

Build them with `python -m minilib.grading.build`; score a class with
`python -m minilib.grading BUNDLE SUBMISSIONS OUT.csv`.
"""
