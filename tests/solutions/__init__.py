"""Reference solutions of the exercises, and the mistakes that are planted in them."""
