"""Campaigns that repeat: the rule, the runs, and what people do with both (M-10)."""
