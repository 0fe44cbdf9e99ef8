"""What every task runs on; so far the part of the configs that tasks have in common."""
