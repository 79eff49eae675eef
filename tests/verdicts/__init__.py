"""What shipped plans say of good racks: each seed is a rack of its own, with instruments that are out."""
