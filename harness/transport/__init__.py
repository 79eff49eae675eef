"""The strict client side of each protocol."""
