"""What providers tell us: checked, put into our words, stored once, then acted on (E-3)."""
