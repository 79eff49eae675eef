"""What measured series say: fits, balances, decays, with their uncertainty. Pure: no device, no clock, no file."""
