"""What the records of LLM streams mean: each dialect's records to neutral events and back. Pure: no trio, no clock."""
