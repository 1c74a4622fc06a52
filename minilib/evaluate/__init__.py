"""Measures a trained model on toys that no training has seen: `python -m minilib.evaluate NAME`.

The numbers go into the model's card, each with its 95 % interval and the number of independent things it is made of.
"""
