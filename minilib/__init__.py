"""The library behind the course "From Noise to Views": each room is read next to the book part it is named after."""

__version__ = "0.1.0"
