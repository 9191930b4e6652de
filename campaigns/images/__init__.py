"""The library of pictures: what is uploaded, what a campaign shows, what is deleted (R-2, R-3)."""
