"""Where, how and why masks fail, and what that does to the numbers that are read off them."""
