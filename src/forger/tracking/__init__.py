"""Loggers of a run and the accounts behind them."""
