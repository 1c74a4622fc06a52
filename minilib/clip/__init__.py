"""Words and pictures in one space (Radford et al. 2021): tokenizer, model, losses; naming with no or few labels."""
