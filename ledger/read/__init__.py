"""The read side: balances from the view and the log, entries and transactions from the log."""
