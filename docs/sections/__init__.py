"""The sections of the benchmark card, each written from the code and the data that it speaks of."""
