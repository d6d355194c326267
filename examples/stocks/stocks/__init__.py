"""Monthly prices of five companies, and what can be computed from them."""
