"""What people see and type: the live view, prompts, the verdict, keys."""
