"""What may not stand in files that are right by themselves: one module a subject, every mistake with its place."""
