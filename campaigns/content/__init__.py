"""What a campaign says: placeholders, the sandboxed templates, images, and checks on all of it."""
