"""The coupon's pages: for its customer and for the till."""
