"""Part 4 of the book: cameras, and in time the models that infer the sides of an object that no picture shows."""
