"""What the campaign editor answers while somebody writes (M-6)."""
