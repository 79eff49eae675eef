"""What can go wrong with the plant: a room of faults for each part of it, and the catalogue of all."""
