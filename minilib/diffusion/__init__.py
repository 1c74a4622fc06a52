"""Part 1 of the book: noise schedules and the forward process of denoising diffusion models."""
